import * as Credentials from "@effect-apns/core/Credentials"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { execFileSync } from "node:child_process"
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll } from "vitest"

const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "apns-belonging-"))
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true })
})

const openssl = (args: string): void => {
  execFileSync("openssl", args.split(" "), { cwd: folder, stdio: ["ignore", "ignore", "pipe"] })
}
const file = (name: string): string => path.join(folder, name)
const text = (name: string): string => fs.readFileSync(file(name), "utf8")
const derOf = (pem: string): Buffer => crypto.createPrivateKey({ key: pem }).export({ type: "pkcs8", format: "der" })
const pemOf = (der: Uint8Array, label = "PRIVATE KEY"): string => {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n")
}

for (const name of ["one", "other"]) {
  openssl(`ecparam -name prime256v1 -genkey -noout -out ${name}.sec1`)
  openssl(`pkcs8 -topk8 -nocrypt -in ${name}.sec1 -out ${name}.p8`)
  openssl(`req -x509 -key ${name}.p8 -subj /CN=${name} -days 30 -out ${name}.crt`)
  openssl(`genrsa -traditional -out ${name}.rsa 2048`)
  openssl(`req -x509 -key ${name}.rsa -subj /CN=${name} -days 30 -out ${name}-rsa.crt`)
}

const point = 64
/** The private part of one key beside the public part of the other. */
const mixed = Buffer.concat([derOf(text("one.p8")).subarray(0, -point), derOf(text("other.p8")).subarray(-point)])
fs.writeFileSync(file("mixed.p8"), pemOf(mixed))
openssl("pkcs8 -topk8 -v2 aes256 -passout pass:open -in mixed.p8 -out mixed-encrypted.p8")
openssl("ec -in mixed.p8 -out mixed.sec1")

const jwk = (name: string) => crypto.createPrivateKey(text(name)).export({ format: "jwk" })
const [one, other] = [jwk("one.p8"), jwk("other.p8")]
const rsa = { one: jwk("one.rsa"), other: jwk("other.rsa") }
const json = (value: unknown): string => JSON.stringify(value)
const withoutLast = (digits: string | undefined): string => (digits ?? "").slice(0, -4)

const tokenOf = (key: string, passphrase?: string) =>
  Credentials.token({
    key: Redacted.make(key),
    ...ids,
    ...(passphrase === undefined ? {} : { passphrase: Redacted.make(passphrase) })
  })

/** Nothing of a key is shown, and nobody is told to make another one. */
const assertHarmless = (error: Credentials.CredentialsError): void => {
  assert.notMatch(error.message, /download|new key|create|make a|revoke|export it again/i)
  const shown = json(error) + String(error.cause)
  for (const secret of [one.d, other.d, rsa.one.d, rsa.other.d]) assert.notInclude(shown, (secret ?? "").slice(0, 12))
}

describe("a signing key whose parts do not match", () => {
  const parts = /InvalidKey.*damaged, its "x" and "y" are not the public key that belongs to its "d"/
  const point = /InvalidKey.*is damaged, it does not fit the public key beside it: compare it with the original file/
  const refused: Record<string, readonly [key: string, expected: RegExp, passphrase?: string]> = {
    "a JWK with x and y of another key": [json({ ...one, x: other.x, y: other.y }), parts],
    "a JWK with x of another key": [json({ ...one, x: other.x }), parts],
    "a JWK with y of another key": [json({ ...one, y: other.y }), parts],
    "a JWK with d of another key": [json({ ...one, d: other.d }), parts],
    "a JWK with y of another key and no x": [json({ ...one, x: undefined, y: other.y }), parts],
    "a JWK whose d lost its end": [json({ ...one, d: withoutLast(one.d) }), parts],
    "a JWK whose y lost its end": [json({ ...one, y: withoutLast(one.y) }), parts],
    "a JWK without public key whose d lost its end": [
      json({ kty: "EC", crv: "P-256", d: withoutLast(one.d) }),
      /InvalidKey.*damaged, its "d" has 29 bytes, and 32 belong there/
    ],
    "a JWK with a d that is too large for the curve": [
      json({ ...one, d: Buffer.alloc(32, 0xff).toString("base64url") }),
      /InvalidKey.*damaged, its "d" is no private key of P-256/
    ],
    "a JWK with a d that is too long": [json({ ...one, d: `${one.d ?? ""}AAAA` }), /InvalidKey.*"d" has 35 bytes/],
    "base64 of a JWK with y of another key": [
      Buffer.from(json({ ...one, y: other.y })).toString("base64"),
      parts
    ],
    "a JWK in a string of JSON, with x of another key": [json(json({ ...one, x: other.x })), parts],
    "PEM (PKCS #8) with the point of another key": [text("mixed.p8"), point],
    "PEM (SEC 1) with the point of another key": [text("mixed.sec1"), point],
    "encrypted PEM with the point of another key": [text("mixed-encrypted.p8"), point, "open"],
    "base64 of PEM with the point of another key": [Buffer.from(text("mixed.p8")).toString("base64"), point],
    "base64 of DER with the point of another key": [mixed.toString("base64"), point],
    "PEM without its labels with the point of another key": [text("mixed.p8").replace(/-----.*-----\n/g, ""), point],
    "base64 of PEM of which a part is missing": [
      Buffer.from(text("one.p8").replace(/\n[^\n]{20}/, "\n")).toString("base64"),
      /InvalidKey.*is damaged/
    ],
    "base64 of DER that ends too soon": [
      derOf(text("one.p8")).subarray(0, 90).toString("base64"),
      /NotPem.*is cut off: 48 of its 138 bytes are missing\. Give the whole file/
    ],
    "two different keys": [
      text("one.p8") + text("other.p8"),
      /InvalidKey.*There are several signing keys in the key given: give the one whose key ID is ABC123DEFG, alone/
    ],
    "a JWK Set of two keys": [json({ keys: [one, other] }), /InvalidKey.*There are several signing keys/],
    "a public JWK": [json({ ...one, d: undefined }), /NoKey.*only PUBLIC KEY \(JWK\)/],
    "a JWK on another curve": [
      json(crypto.generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ format: "jwk" })),
      /NotEcP256.*of kind secp384r1/
    ],
    "an RSA JWK": [json(rsa.one), /NotEcP256.*of kind rsa/]
  }
  for (const [name, [key, expected, passphrase]] of Object.entries(refused)) {
    it.effect(`refused, with the part that does not match: ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(tokenOf(key, passphrase))
        assert.match(`${error.reason} ${error.message}`, expected)
        assertHarmless(error)
      }))
  }

  const zero = () => {
    for (;;) {
      const found = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" })
      if (Buffer.from(found.x ?? "", "base64url")[0] === 0) return found
    }
  }
  const short = zero()
  const accepted: Record<string, readonly [key: string, same: crypto.JsonWebKey]> = {
    "a JWK": [json(one), one],
    "a JWK without its public key": [json({ kty: "EC", crv: "P-256", d: one.d }), one],
    "a JWK Set with a public key of somebody else in front": [json({ keys: [{ ...other, d: undefined }, one] }), one],
    "the same key twice": [text("one.p8") + text("one.sec1"), one],
    "a key behind an RSA key": [text("one.rsa") + text("one.p8"), one],
    "a JWK that leaves out zeros in front": [
      json({ ...short, x: Buffer.from(short.x ?? "", "base64url").subarray(1).toString("base64url") }),
      short
    ]
  }
  for (const [name, [key, same]] of Object.entries(accepted)) {
    it.effect(`accepted if they match: ${name}`, () =>
      Effect.gen(function*() {
        const { key: read } = yield* tokenOf(key)
        assert.strictEqual(
          Redacted.value(read),
          crypto.createPrivateKey({ key: same, format: "jwk" }).export({ type: "pkcs8", format: "pem" }).toString()
        )
      }))
  }
})

describe("a certificate and a key that do not match", () => {
  const certificate = (cert: string, key: string) =>
    Credentials.certificate({ cert: Redacted.make(cert), key: Redacted.make(key) })

  for (const kind of [".p8", ".rsa"]) {
    const cert = kind === ".p8" ? ".crt" : "-rsa.crt"
    it.effect(`refused, and the error names both: ${kind}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(certificate(text(`one${cert}`), text(`other${kind}`)))
        assert.strictEqual(error.reason, "Mismatch")
        assert.match(
          error.message,
          /does not belong to the certificate in .*: give the key that the certificate was made for/
        )
        assertHarmless(error)
      }))

    it.effect(`several keys and certificates, one pair of them matches -> accepted: ${kind}`, () =>
      Effect.gen(function*() {
        const { identity } = yield* certificate(
          text(`one${cert}`) + text(`other${cert}`),
          text(kind === ".p8" ? "one.rsa" : "one.p8") + text(`other${kind}`)
        )
        assert.strictEqual(identity, (yield* certificate(text(`other${cert}`), text(`other${kind}`))).identity)
      }))
  }

  for (const part of ["d", "p", "q", "dp", "dq", "qi"] as const) {
    it.effect(`an RSA key with the ${part} of another key -> refused as damaged`, () =>
      Effect.gen(function*() {
        const key = crypto.createPrivateKey({ key: { ...rsa.one, [part]: rsa.other[part] }, format: "jwk" })
        for (const type of ["pkcs1", "pkcs8"] as const) {
          const error = yield* Effect.flip(
            certificate(text("one-rsa.crt"), key.export({ type, format: "pem" }).toString())
          )
          assert.strictEqual(error.reason, "InvalidKey")
          assert.match(
            error.message,
            /is damaged, its numbers do not belong together: compare it with the original file/
          )
          assertHarmless(error)
        }
      }))
  }

  it.effect("a key with the public point of another key -> refused as damaged, also with the certificate of that point", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(certificate(text("other.crt"), text("mixed.p8")))
      assert.strictEqual(error.reason, "InvalidKey")
      assert.match(error.message, /does not fit the public key beside it/)
      assertHarmless(error)
    }))

  it.effect("an RSA JWK as the key of a certificate -> accepted", () =>
    Effect.gen(function*() {
      const { identity } = yield* certificate(text("one-rsa.crt"), json(rsa.one))
      assert.strictEqual(identity, (yield* certificate(text("one-rsa.crt"), text("one.rsa"))).identity)
    }))
})

describe("an archive whose parts do not match", () => {
  const archive = (name: string, args: string): Uint8Array => {
    openssl(`pkcs12 -export -passout pass:open -out ${name} ${args}`)
    return new Uint8Array(fs.readFileSync(file(name)))
  }
  const read = (data: Uint8Array, passphrase = "open") =>
    Credentials.pkcs12({ data: Redacted.make(data), passphrase: Redacted.make(passphrase) })

  const refused: Record<string, readonly [() => Uint8Array, RegExp]> = {
    "a certificate and the key of another one": [
      () => archive("a.p12", "-nocerts -inkey other.rsa -certfile one-rsa.crt -in other-rsa.crt"),
      /Mismatch.*No private key in .* belongs to a certificate in it/
    ],
    "the same, on an elliptic curve": [
      () => archive("b.p12", "-nocerts -inkey other.p8 -certfile one.crt -in other.crt"),
      /Mismatch.*No private key in .* belongs to a certificate in it/
    ],
    "a key with the point of another key, and the certificate of that point": [
      () => archive("c.p12", "-inkey mixed.p8 -in other.crt"),
      /InvalidKey.*is damaged, it does not fit the public key beside it/
    ],
    "an archive that ends too soon": [
      () => archive("d.p12", "-inkey one.rsa -in one-rsa.crt").subarray(0, 1000),
      /NotPkcs12.*is cut off: \d{3,4} of its \d{4} bytes are missing\. Give the whole file/
    ],
    "an archive of which one byte was changed": [
      () => archive("e.p12", "-inkey one.rsa -in one-rsa.crt").map((byte, at) => (at === 900 ? byte ^ 255 : byte)),
      /WrongPassphrase.*correct it\. If it is right, the file is damaged: compare it with the original/
    ]
  }
  for (const [name, [make, expected]] of Object.entries(refused)) {
    it.effect(`refused, with the part that does not match: ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read(make()))
        assert.match(`${error.reason} ${error.message}`, expected)
        assertHarmless(error)
      }))
  }

  it.effect("accepted if they match: RSA and elliptic curves", () =>
    Effect.gen(function*() {
      for (const [key, cert] of [["one.rsa", "one-rsa.crt"], ["one.p8", "one.crt"]]) {
        const { identity } = yield* read(archive("f.p12", `-inkey ${key} -in ${cert}`))
        const raw = new crypto.X509Certificate(text(cert ?? "")).raw
        assert.strictEqual(identity, `certificate:${crypto.createHash("sha256").update(raw).digest("hex")}`)
      }
    }))
})
