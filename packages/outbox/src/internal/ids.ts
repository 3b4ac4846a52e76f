import { createHash, randomUUID } from "node:crypto"

/**
 * The `apns-id` of each notification of a campaign, always the same: a UUID of version 8 (RFC 9562
 * section 5.8), its first 74 free bits a hash of the campaign's id, its last 48 bits the index.
 */
export const apnsIds = (campaign: string): (index: number) => string => {
  const hash = createHash("sha256").update("effect-apns outbox\0").update(campaign).digest()
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  const hex = hash.toString("hex", 0, 10)
  const prefix = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-`
  return (index) => prefix + index.toString(16).padStart(12, "0")
}

/** The name of a runner or of a writer, new for each. */
export const unique = (): string => randomUUID()

export const sha256 = (...parts: ReadonlyArray<string | Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest("base64url")
}

/** The hash of a list of texts, however it is cut into parts. Takes constant memory. */
export class ListHash {
  private readonly hash = createHash("sha256")

  add(texts: ReadonlyArray<string>): this {
    let part = ""
    for (const text of texts) part += `${text.length}:${text}`
    this.hash.update(part)
    return this
  }

  digest(): string {
    return this.hash.digest("base64url")
  }
}
