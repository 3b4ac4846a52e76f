/** One block of a PEM file (RFC 7468), as written. */
export interface PemBlock {
  readonly label: string
  readonly text: string
}

/**
 * The blocks of a PEM text. Environment variables often carry `\n` as two characters: they are read as line ends when
 * the text has no others.
 */
export const pemBlocks = (text: string): ReadonlyArray<PemBlock> => {
  const lines = text.includes("\n") ? text : text.replaceAll("\\n", "\n")
  return Array.from(
    lines.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g),
    (match) => ({ label: match[1] ?? "", text: `${match[0]}\n` })
  )
}

export const isPrivateKey = (block: PemBlock): boolean => block.label.endsWith("PRIVATE KEY")

export const isEncrypted = (block: PemBlock): boolean =>
  block.label === "ENCRYPTED PRIVATE KEY" || block.text.includes("Proc-Type: 4,ENCRYPTED")

export const isCertificate = (block: PemBlock): boolean => block.label.endsWith("CERTIFICATE")
