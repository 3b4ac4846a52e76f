import * as Credentials from "@effect-apns/core/Credentials"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as fixtures from "./fixtures/index.js"

const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
const p8 = fixtures.text("AuthKey_ABC123DEFG.p8")
const der = crypto.createPrivateKey(p8).export({ type: "pkcs8", format: "der" })

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64")
const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString("base64url")
const folded = (text: string): string => text.replace(/(.{76})/g, "$1\n")
const newline = (to: string) => p8.replaceAll("\n", to)
const lines = (to: (line: string) => string) => p8.trim().split("\n").map(to).join("\n")

/** What variables, files and secret managers make of a key, by name. */
const shapes: Record<string, string> = {
  "as it is": p8,
  "no line end at the end": p8.trimEnd(),
  "Windows' line ends": newline("\r\n"),
  "old Macs' line ends": newline("\r"),
  "spaces for line ends": newline(" "),
  "several spaces for line ends": newline("   "),
  "nothing for line ends": newline(""),
  "no white space at all": p8.replace(/\s/g, ""),
  "tabs for line ends": newline("\t"),
  "commas for line ends": newline(","),
  "\\n": newline("\\n"),
  "\\\\n": newline("\\\\n"),
  "\\\\\\\\n": newline("\\\\\\\\n"),
  "\\r\\n": newline("\\r\\n"),
  "\\\\r\\\\n": newline("\\\\r\\\\n"),
  "\\n and real line ends": newline("\\n\n"),
  "a \\n at the end alone": p8.trimEnd() + "\\n",
  "\\n whose backslashes got lost": newline("n"),
  "JSON": JSON.stringify(p8),
  "JSON in JSON": JSON.stringify(JSON.stringify(p8)),
  "JSON in JSON in JSON": JSON.stringify(JSON.stringify(JSON.stringify(p8))),
  "JSON that escapes + / and =": JSON.stringify(p8).replaceAll("+", "\\u002b").replaceAll("/", "\\/").replaceAll(
    "=",
    "\\u003d"
  ),
  "an object of a secret manager": JSON.stringify({ keyId: "ABC123DEFG", key: p8 }),
  "double quotes": `"${newline("\\n")}"`,
  "single quotes": `'${newline("\\n")}'`,
  "nested quotes": `"'${newline("\\n")}'"`,
  "escaped quotes": `\\"${newline("\\n")}\\"`,
  "quotes around each line": p8.split("\n").map((line) => `"${line}"`).join("\n"),
  "indented, as in YAML": p8.replace(/^/gm, "    "),
  "a YAML block with its mark": `|\n${p8.replace(/^/gm, "  ")}`,
  "continued lines of a shell": newline("\\\n"),
  "quoted in a mail": p8.replace(/^/gm, "> "),
  "percent-encoded": encodeURIComponent(p8),
  "XML line ends": newline("&#10;"),
  "dashes of a word processor": p8.replaceAll("-----", "\u2014\u2014-"),
  "no-break spaces": newline("\u00a0"),
  "a zero-width space in front": `\u200b${p8}`,
  "a byte order mark": `\uFEFF${p8}`,
  "text around it": `Here is the key:\n${p8}\nKeep it safe!`,
  "other headers inside": p8.replace("-----\n", "-----\nComment: made in 2019\n\n"),
  "base64 of the file": base64(p8),
  "base64 of the file, in lines": folded(base64(p8)),
  "base64 of the file, in quotes": `"${base64(p8)}"`,
  "base64 of the file without padding": base64(p8).replace(/=+$/, ""),
  "base64 of the file and junk behind it": `${base64(p8)}\n\n`,
  "base64url of the file": base64url(p8),
  "base64 of base64 of the file": base64(base64(p8)),
  "base64 of the file with \\n": base64(newline("\\n")),
  "base64 of the file in UTF-16": base64(Buffer.from(`\uFEFF${p8}`, "utf16le")),
  "a data URL": `data:application/pkcs8;base64,${base64(p8)}`,
  "base64 of DER": base64(der),
  "base64url of DER": base64url(der),
  "base64 of DER, in lines": folded(base64(der)),
  "the base64 between the labels alone": p8.replace(/-----[^-]+-----/g, ""),
  "hexadecimal of DER": der.toString("hex"),
  "hexadecimal of the file": Buffer.from(p8).toString("hex"),
  "base64url between the labels": p8.replace(
    /(?<=-----\n)[^-]*/,
    (body) => body.replaceAll("+", "-").replaceAll("/", "_")
  ),
  "typographic quotes around each line": lines((line) => `\u201c${line}\u201d`),
  "lines that a program joins": p8.trim().split("\n").map((line) => `'${line}\\n'`).join(" +\n"),
  "numbered lines": p8.trim().split("\n").map((line, index) => `${index + 1}  ${line}`).join("\n"),
  "a list in YAML": lines((line) => `  - "${line}"`),
  "lines with a comment behind the label": p8.replace("\n", "  # AuthKey\n"),
  "line ends of HTML": newline("<br/>"),
  "\\x0a": newline("\\x0a"),
  "\\012": newline("\\012"),
  "\\R\\N": newline("\\R\\N"),
  "a form of a web page": encodeURIComponent(p8).replaceAll("%20", "+"),
  "percent-encoded twice": encodeURIComponent(encodeURIComponent(p8)),
  "XML that escapes + / and =": p8.replaceAll("=", "&#61;").replaceAll("+", "&#43;").replaceAll("/", "&#x2F;"),
  "a label in lower case": p8.replaceAll("PRIVATE KEY", "private key"),
  "a label with an underscore": p8.replaceAll("PRIVATE KEY", "PRIVATE_KEY"),
  "full-width hyphens": p8.replaceAll("-", "\uff0d"),
  "a line of a file of variables": `APNS_KEY=${newline("\\n")}`,
  "a line of a file of variables, as base64": `APNS_KEY=${base64(p8)}`,
  "an object of a secret manager, as base64": JSON.stringify({ key: base64(p8) }),
  "binary data in YAML": `!!binary |\n  ${folded(base64(p8))}`,
  "hexadecimal of DER with colons": der.toString("hex").replace(/..(?=.)/g, "$&:"),
  "SEC1 instead of PKCS #8": crypto.createPrivateKey(p8).export({ type: "sec1", format: "pem" }).toString(),
  "SEC1 without line ends": crypto.createPrivateKey(p8).export({ type: "sec1", format: "pem" }).toString().replace(
    /\n/g,
    ""
  ),
  "base64 of SEC1 DER": base64(crypto.createPrivateKey(p8).export({ type: "sec1", format: "der" }))
}

/** What a file may hold beyond text. */
const files: Record<string, Uint8Array> = {
  "DER": der,
  "DER and a line end": Buffer.concat([der, Buffer.from("\n")]),
  "UTF-8 with a byte order mark": Buffer.from(`\uFEFF${p8}`),
  "UTF-16 with a byte order mark, little-endian": Buffer.from(`\uFEFF${p8}`, "utf16le"),
  "UTF-16 with a byte order mark, big-endian": Buffer.from(`\uFEFF${p8}`, "utf16le").swap16(),
  "UTF-16 without a byte order mark": Buffer.from(p8, "utf16le"),
  "UTF-16 without a byte order mark, big-endian": Buffer.from(p8, "utf16le").swap16()
}

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "apns-credentials-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

describe("a signing key", () => {
  const identity = Effect.map(Credentials.token({ key: Redacted.make(p8), ...ids }), (_) => _.identity)

  for (const [name, text] of Object.entries(shapes)) {
    it.effect(`is read from: ${name}`, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Credentials.token({ key: Redacted.make(text), ...ids })).identity, yield* identity)
      }))
  }

  it.scoped("is read from files that hold any of these, or bytes", () =>
    Effect.gen(function*() {
      const keyFile = path.join(yield* temporary, "key.p8")
      for (const [name, bytes] of Object.entries({ ...files, ...shapes })) {
        fs.writeFileSync(keyFile, bytes)
        assert.strictEqual((yield* Credentials.token({ keyFile, ...ids })).identity, yield* identity, name)
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.effect("read with every line length and every kind of line end", () =>
    Effect.gen(function*() {
      const body = der.toString("base64")
      for (const length of [1, 16, 60, 64, 65, 76, 1000]) {
        const lines = body.match(new RegExp(`.{1,${length}}`, "g")) ?? []
        for (const end of ["\n", "\r\n", " ", "", "\\n", "\\\\n", "\\r\\n"]) {
          const text = ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----"].join(end)
          assert.strictEqual((yield* Credentials.token({ key: Redacted.make(text), ...ids })).identity, yield* identity)
        }
      }
    }))

  const wrong: ReadonlyArray<readonly [string, string | Uint8Array, Credentials.Reason, RegExp]> = [
    ["nothing", "", "NotPem", /is empty/],
    ["white space", " \n\t", "NotPem", /is empty/],
    ["a key without its end", p8.slice(0, 120), "NotPem", /cut off/],
    [
      "a key of which a part is missing whose end is of another kind",
      p8.replace(/(?<=-----\n)[^\n]{8}/, "").replace("END PRIVATE", "END PUBLIC"),
      "NotPem",
      /cut off/
    ],
    [
      "the path of a file",
      "/etc/keys/AuthKey_ABC123DEFG.p8",
      "NotPem",
      /looks like the path of a file: pass it as `keyFile`/
    ],
    ["words", "hello", "NotPem", /BEGIN PRIVATE KEY/],
    ["a key with a part missing", p8.replace(/(?<=-----\n)[^\n]{8}/, ""), "InvalidKey", /damaged/],
    ["a key with a character that is none of base64", p8.replace(/(?<=-----\n)./, "!"), "InvalidKey", /damaged/],
    ["a certificate as PEM", fixtures.text("client.pem"), "NoKey", /only CERTIFICATE: give the \.p8 file/],
    [
      "a certificate as DER",
      new crypto.X509Certificate(fixtures.text("client.pem")).raw,
      "NoKey",
      /only CERTIFICATE \(DER\): give the \.p8 file/
    ],
    [
      "a public key as DER",
      crypto.createPublicKey(p8).export({ type: "spki", format: "der" }),
      "NoKey",
      /only PUBLIC KEY \(DER\)/
    ],
    ["an encrypted key", fixtures.text("encrypted.p8"), "PassphraseMissing", /Apple's \.p8 files are not/],
    [
      "an archive",
      fixtures.bytes("client.p12"),
      "NotPem",
      /is a PKCS#12 archive.*Credentials\.pkcs12.*BEGIN PRIVATE KEY/
    ],
    [
      "an RSA key as DER",
      crypto.createPrivateKey(fixtures.text("rsa.p8")).export({ type: "pkcs1", format: "der" }),
      "NotEcP256",
      /rsa/
    ],
    [
      "an OpenSSH key",
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----",
      "NoKey",
      /only OPENSSH/
    ]
  ]
  for (const [name, content, reason, message] of wrong) {
    it.scoped(`${name} -> ${reason}`, () =>
      Effect.gen(function*() {
        const keyFile = path.join(yield* temporary, "key")
        fs.writeFileSync(keyFile, content)
        const read = yield* Effect.flip(Credentials.token({ keyFile, ...ids }))
        const given = typeof content === "string"
          ? [yield* Effect.flip(Credentials.token({ key: Redacted.make(content), ...ids }))]
          : []
        for (const error of [read, ...given]) {
          assert.strictEqual(error.reason, reason, error.message)
          assert.match(error.message, message)
          // Apple lets a key be downloaded once: nobody should revoke a good one
          assert.notMatch(error.message, /download|new key|create|make a|revoke|export it again/i)
        }
      }).pipe(Effect.provide(NodeContext.layer)))
  }
})

describe("a certificate with its key", () => {
  const both = fixtures.text("client-both.pem")
  const cert = fixtures.text("client.pem")
  const keyPem = fixtures.text("client.key.pem")
  const raw = new crypto.X509Certificate(cert).raw
  const keyDer = crypto.createPrivateKey(keyPem).export({ type: "pkcs8", format: "der" })
  const traditional = fixtures.text("client-traditional.key.pem")

  const whole: Record<string, string> = {
    "spaces for line ends": both.replaceAll("\n", " "),
    "nothing for line ends": both.replaceAll("\n", ""),
    "\\n": both.replaceAll("\n", "\\n"),
    "JSON in JSON": JSON.stringify(JSON.stringify(both)),
    "base64 of the file": base64(both)
  }
  for (const [name, text] of Object.entries(whole)) {
    it.effect(`is read from: ${name}`, () =>
      Effect.gen(function*() {
        const one = yield* Credentials.certificate({ cert: Redacted.make(text) })
        const usual = yield* Credentials.certificate({ cert: both })
        assert.strictEqual(one.identity, usual.identity)
        assert.strictEqual(one.cert, usual.cert)
      }))
  }

  const keys: Record<string, string> = {
    "spaces for line ends": traditional.replaceAll("\n", " "),
    "nothing for line ends": traditional.replaceAll("\n", ""),
    "\\n": traditional.replaceAll("\n", "\\n"),
    "base64 of the file": base64(traditional),
    "PKCS #8 without line ends": fixtures.text("client-encrypted.key.pem").replaceAll("\n", "")
  }
  for (const [name, text] of Object.entries(keys)) {
    it.effect(`is read with an encrypted key that has: ${name}`, () =>
      Effect.gen(function*() {
        const read = yield* Credentials.certificate({
          cert,
          key: Redacted.make(text),
          passphrase: Redacted.make("secret")
        })
        assert.strictEqual(read.identity, (yield* Credentials.certificate({ cert: both })).identity)
      }))
  }

  it.scoped("is read from DER files", () =>
    Effect.gen(function*() {
      const folder = yield* temporary
      const [certFile, keyFile] = [path.join(folder, "aps.cer"), path.join(folder, "aps.key")]
      fs.writeFileSync(certFile, raw)
      fs.writeFileSync(keyFile, keyDer)
      const read = yield* Credentials.certificate({ certFile, keyFile })
      assert.strictEqual(read.identity, (yield* Credentials.certificate({ cert: both })).identity)
    }).pipe(Effect.provide(NodeContext.layer)))

  const wrong: ReadonlyArray<readonly [string, Uint8Array | string, Credentials.Reason, RegExp]> = [
    ["a .cer as Apple gives it", raw, "NoKey", /only CERTIFICATE \(DER\).*name the file that holds it.*\.p12/],
    ["a key as DER", keyDer, "NoCertificate", /only PRIVATE KEY \(DER\)/],
    ["an archive", fixtures.bytes("client.p12"), "NotPem", /is a PKCS#12 archive.*Credentials\.pkcs12/],
    [
      "an encrypted key as DER",
      Buffer.from(fixtures.text("client-encrypted.key.pem").replace(/-----[^-]+-----/g, ""), "base64"),
      "NoCertificate",
      /only ENCRYPTED PRIVATE KEY \(DER\)/
    ],
    [
      "a request",
      "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
      "NoCertificate",
      /only CERTIFICATE REQUEST/
    ]
  ]
  for (const [name, content, reason, message] of wrong) {
    it.scoped(`${name} -> ${reason}`, () =>
      Effect.gen(function*() {
        const certFile = path.join(yield* temporary, "cert")
        fs.writeFileSync(certFile, content)
        const error = yield* Effect.flip(Credentials.certificate({ certFile }))
        assert.strictEqual(error.reason, reason, error.message)
        assert.match(error.message, message)
      }).pipe(Effect.provide(NodeContext.layer)))
  }
})

describe("a wrong passphrase", () => {
  // One round of key derivation, so that 2,000 passphrases take no time. About 8 of them decrypt to something that
  // looks like padding, and OpenSSL then speaks of a damaged key.
  const key = crypto.createPrivateKey(fixtures.text("client.key.pem"))
  const weak = pbes2(key.export({ type: "pkcs8", format: "der" }), "right")
  const traditional = key.export({ type: "sec1", format: "pem", cipher: "aes-256-cbc", passphrase: "right" }).toString()

  for (const [name, pem] of [["PKCS #8", weak], ["traditional", traditional]] as const) {
    it.effect(`2,000 different wrong passphrases -> always refused as wrong: ${name}`, () =>
      Effect.gen(function*() {
        const open = (passphrase: string) =>
          Credentials.certificate({
            cert: fixtures.text("client.pem"),
            key: Redacted.make(pem),
            passphrase: Redacted.make(passphrase)
          })
        yield* open("right")
        const reasons = yield* Effect.forEach(
          Array.from({ length: 2_000 }, (_, i) => `wrong ${i}`),
          (passphrase) => Effect.map(Effect.flip(open(passphrase)), ({ reason }) => reason)
        )
        assert.deepStrictEqual([...new Set(reasons)], ["WrongPassphrase"])
      }))
  }
})

/** PKCS #8, encrypted by AES-256 with one round of PBKDF2 (RFC 8018 appendix A.4). */
function pbes2(plain: Uint8Array, passphrase: string): string {
  const tlv = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
    const content = Buffer.concat(contents)
    const length = content.length < 128
      ? [content.length]
      : content.length < 256
      ? [0x81, content.length]
      : [0x82, content.length >> 8, content.length & 0xff]
    return Buffer.concat([Buffer.from([tag, ...length]), content])
  }
  const hex = (text: string) => Buffer.from(text, "hex")
  const [salt, iv] = [Buffer.alloc(8, 7), Buffer.alloc(16, 9)]
  const cipher = crypto.createCipheriv("aes-256-cbc", crypto.pbkdf2Sync(passphrase, salt, 1, 32, "sha256"), iv)
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()])
  const pbkdf2 = tlv(
    0x30,
    hex("06092a864886f70d01050c"),
    tlv(0x30, tlv(4, salt), hex("020101"), tlv(0x30, hex("06082a864886f70d0209"), hex("0500")))
  )
  const aes = tlv(0x30, hex("060960864801650304012a"), tlv(4, iv))
  const algorithm = tlv(0x30, hex("06092a864886f70d01050d"), tlv(0x30, pbkdf2, aes))
  const body = tlv(0x30, algorithm, tlv(4, encrypted)).toString("base64")
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}\n-----END ENCRYPTED PRIVATE KEY-----\n`
}
