import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const directory = fileURLToPath(new URL("./corpus/", import.meta.url))

/** Every input that was kept, in the order of their names. */
export const loadCorpus = (): Array<Uint8Array> =>
  fs.readdirSync(directory).sort().filter((name) => name.endsWith(".bin")).map((name) =>
    new Uint8Array(fs.readFileSync(path.join(directory, name)))
  )

/** The file name of an input: what it led to decides, so the same finding is kept once. */
export const nameOf = (signature: string): string =>
  `${crypto.createHash("sha256").update(signature).digest("hex").slice(0, 16)}.bin`
