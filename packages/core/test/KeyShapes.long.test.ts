import * as Credentials from "@effect-apns/core/Credentials"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { execFileSync } from "node:child_process"
import * as crypto from "node:crypto"
import { pemBlocks } from "../src/internal/pem.js"

const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }

const openssl = (args: string, input = ""): Buffer =>
  execFileSync("openssl", args.split(" "), { input, stdio: ["pipe", "pipe", "ignore"] })

const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${
    Buffer.from(der).toString("base64").replace(/(.{64})/g, "$1\n").trim()
  }\n-----END ${label}-----\n`

/** As openssl writes it: 138 bytes, three lines. */
const asOpenssl = (): string => openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256").toString()

/** As Apple writes it: with the curve inside a second time; 150 bytes, the last of four lines is short. */
const asApple = (): string => {
  const sec1 = openssl("ecparam -name prime256v1 -genkey -noout -outform DER")
  return pem(
    "PRIVATE KEY",
    Buffer.concat([
      Buffer.from("308193020100301306072a8648ce3d020106082a8648ce3d030107047930", "hex"),
      sec1.subarray(1)
    ])
  ).trimEnd()
}

const keys: ReadonlyArray<string> = [asOpenssl(), asApple()]

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64")
const times = (n: number, text: string, f: (text: string) => string): string =>
  Array.from({ length: n }).reduce<string>((text) => f(text), text)
const hexOf = (bytes: Uint8Array, each: (byte: string) => string, between = ""): string =>
  Array.from(bytes, (byte) => each(byte.toString(16).padStart(2, "0"))).join(between)

/** What happens to a key on its way, by name. */
const shapes: Record<string, (p8: string) => string> = {}

const add = (entries: Record<string, (p8: string) => string>) => Object.assign(shapes, entries)

// what stands for each line end
for (
  const end of [
    ...[
      "+",
      "/n",
      "/r/n",
      "//n",
      "|n",
      "n",
      "N",
      "nn",
      "rn",
      "`n",
      "`r`n",
      "^M",
      "^J",
      "^\n",
      "\\",
      "\\\\",
      "\\ ",
      "\\a",
      "\\l"
    ],
    ...[
      "\\s",
      "\\p",
      "\\$",
      "\\n\\n",
      "\\u000a",
      "\\u{a}",
      "\\U0000000A",
      "\\x0A",
      "\\012",
      `${"\\".repeat(16)}n`,
      "'\\n'"
    ],
    ...[
      "%0A",
      "%0D%0A",
      "%0a",
      "%250A",
      "%5Cn",
      "&#10;",
      "&#xA;",
      "&amp;#10;",
      "&amp;amp;#10;",
      "&NewLine;",
      "&nbsp;",
      "<br>"
    ],
    ...["<LF>", "<CR><LF>", "[n]", "{n}", "${IFS}", "$'\\n'", "$\n", "^M$\n", "CRLF", "\n\n", "\n> ", "\n+", "\r\n+"],
    ...[
      "\u00a0",
      "\u3000",
      "\u2009",
      "\u0085",
      "\u2028",
      "\v",
      "\f",
      "\u200b\n",
      "\ufeff\n",
      "\u00b6",
      "\u21b5",
      "\u240a"
    ],
    ...[":", ";", "|", "~", "_", "*", "#", "@", "-", ".", "^", "\" \"", "\" +\n\"", "' || chr(10) || '"]
  ]
) add({ [`${JSON.stringify(end)} for line ends`]: (p8) => p8.replaceAll("\n", end) })

// what stands in front of each line
for (
  const front of [
    ...[
      "+",
      "+ ",
      "-",
      "- ",
      "> ",
      ">> ",
      "> > ",
      "# ",
      "// ",
      " * ",
      "; ",
      "% ",
      "! ",
      "-- ",
      "$ ",
      "< ",
      "| ",
      "\t",
      "\ufeff"
    ],
    ...[
      "2026-11-26T00:00:00Z INFO ",
      "web_1  | ",
      "AuthKey.p8:",
      "abc1234 (Bob 2024-01-01 00:00:00 +0000 1) ",
      "<p>",
      "\u001b[1m"
    ]
  ]
) add({ [`${JSON.stringify(front)} in front of each line`]: (p8) => p8.trimEnd().replace(/^/gm, front) })

// what stands for the five hyphens
for (
  const dashes of [
    ...[
      "-",
      "----",
      "------",
      "\u2013\u2013-",
      "\u2014-",
      "\u2014",
      "\u2212\u2212",
      "\u2500\u2500",
      "\u2e3a-",
      "\u30fc\u30fc"
    ],
    ...[
      "\u0096\u0096-",
      "\u0097\u0097-",
      "\u00e2\u20ac\u201d",
      "\u00e2\u20ac\u201c-",
      "\ufffd",
      "_____",
      "=====",
      "*****",
      "- - - - -",
      ""
    ],
    ...["&ndash;&ndash;-", "&#45;&#45;&#45;", "&hyphen;&hyphen;", "-\ufe0f-\ufe0f"]
  ]
) add({ [`${JSON.stringify(dashes)} for the hyphens of the labels`]: (p8) => p8.replaceAll("-----", dashes) })

const labels = /-----[^-]+-----/g
const bodyOf = (p8: string): string => p8.replace(labels, "").trim()
const derOf = (p8: string): Buffer => Buffer.from(bodyOf(p8), "base64")
const jwkOf = (p8: string): crypto.JsonWebKey => crypto.createPrivateKey(p8).export({ format: "jwk" })
const mail = (text: string): string => text.replaceAll("=", "=3D")

add({
  "a diff": (p8) =>
    `diff --git a/k b/k\nnew file mode 100644\n--- /dev/null\n+++ b/AuthKey.p8\n@@ -0,0 +1,6 @@\n${
      p8.trimEnd().replace(/^/gm, "+")
    }\n\\ No newline at end of file\n`,
  "quoted-printable": (p8) => mail(p8),
  "quoted-printable with soft line ends": (p8) => mail(p8).replace(/([^\n]{40})/g, "$1=\n"),
  "quoted-printable with soft line ends of Windows": (p8) => mail(p8).replace(/([^\n]{40})/g, "$1=\r\n"),
  "quoted-printable line ends": (p8) => mail(p8).replaceAll("\n", "=0A"),
  "quoted-printable line ends and soft ones": (p8) => mail(p8).replaceAll("\n", "=0D=0A=\n"),
  "quoted-printable hyphens": (p8) => mail(p8).replaceAll("-", "=2D"),
  "quoted-printable spaces": (p8) => mail(p8).replaceAll(" ", "=20"),
  "quoted-printable signs of base64": (p8) => mail(p8).replaceAll("+", "=2B").replaceAll("/", "=2F"),
  "names of HTML for signs of base64": (p8) =>
    p8.replaceAll("+", "&plus;").replaceAll("/", "&sol;").replaceAll("=", "&equals;"),
  "a property list": (p8) => `<plist><dict><key>key</key><string>${p8}</string></dict></plist>`,
  "data of a property list": (p8) =>
    `<plist><dict><key>key</key><data>\n${base64(p8).replace(/(.{60})/g, "$1\n")}</data></dict></plist>`,
  "a code block of a web page": (p8) => `<pre><code>${p8}</code></pre>`,
  "zero-width spaces everywhere": (p8) => p8.replace(/(.{5})/g, "$1\u200b"),
  "word joiners everywhere": (p8) => p8.replace(/(.{7})/g, "$1\u2060"),
  "soft hyphens": (p8) => p8.replace(/([A-Za-z]{9})/g, "$1\u00ad"),
  "marks of direction": (p8) => `\u202a\u200e${p8}\u200f\u202c`,
  "no-break spaces in the labels": (p8) => p8.replaceAll(" ", "\u00a0"),
  "full-width characters": (p8) => p8.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)),
  "colors of a terminal": (p8) => p8.trimEnd().replace(/^.*$/gm, "\u001b[1;32m$&\u001b[0m\u001b[K"),
  "a byte order mark read as Latin-1": (p8) => `\u00ef\u00bb\u00bf${p8}`,
  "numbered lines": (p8) => p8.trimEnd().split("\n").map((line, i) => `${i + 1}: ${line}`).join("\n"),
  "numbered lines with tabs": (p8) => p8.trimEnd().split("\n").map((line, i) => `     ${i + 1}\t${line}`).join("\n"),
  "a table": (p8) => p8.trimEnd().replace(/^.*$/gm, "| $& |"),
  "strings that Java joins": (p8) => p8.trimEnd().replace(/^.*$/gm, "      + \"$&\\n\""),
  "strings that PHP joins": (p8) => p8.trimEnd().replace(/^.*$/gm, "'$&' . \"\\n\" ."),
  "a here-document": (p8) => `<<EOF\n${p8}\nEOF\n`,
  "a block of Terraform": (p8) => `key = <<-EOT\n${p8.replace(/^/gm, "    ")}\nEOT`,
  "a checksum of PGP": (p8) => p8.replace(/(?=-----END)/, "=aBcD\n"),

  "no END line": (p8) => p8.replace(/-----END.*/, ""),
  "no END line, and \\n": (p8) => p8.replace(/-----END.*/, "").replaceAll("\n", "\\n"),
  "no END line, in one line": (p8) => p8.replace(/-----END.*/, "").replaceAll("\n", ""),
  "a part of the END line": (p8) => p8.trimEnd().slice(0, -12),
  "an END line without hyphens at its end": (p8) => p8.trimEnd().slice(0, -5),
  "no BEGIN line": (p8) => p8.replace(/-----BEGIN.*/, ""),
  "no BEGIN line, in one line": (p8) => p8.replace(/-----BEGIN.*/, "").replaceAll("\n", ""),
  ...Object.fromEntries(
    [3, 5, 8, 13, 20].map((n) => [`a BEGIN line without its first ${n} characters`, (p8: string) => p8.slice(n)])
  ),
  "no hyphens, in one line": (p8) => p8.replaceAll("-", "").replaceAll("\n", " "),
  "no hyphens, no spaces": (p8) => p8.replaceAll("-", "").replace(/\s/g, ""),
  "labels without what they label": (p8) => p8.replaceAll(" PRIVATE KEY", ""),
  ...Object.fromEntries(
    [
      "KEY",
      "EC PRIVATE KEY",
      "RSA PRIVATE KEY",
      "CERTIFICATE",
      "PUBLIC KEY",
      "ENCRYPTED PRIVATE KEY",
      "PRIVAT KEY",
      "APNS KEY"
    ].map(
      (label) => [`the label ${label}`, (p8: string) => p8.replaceAll("PRIVATE KEY", label)]
    )
  ),
  "an END line of another kind": (p8) => p8.replace("END PRIVATE", "END PUBLIC"),
  "SEC 1 with the label of PKCS #8": (p8) =>
    pem("PRIVATE KEY", crypto.createPrivateKey(p8).export({ type: "sec1", format: "der" })),

  "the base64 alone": bodyOf,
  "the base64 alone, in one line": (p8) => bodyOf(p8).replaceAll("\n", ""),
  "the base64 alone, with \\n": (p8) => bodyOf(p8).replaceAll("\n", "\\n"),
  "the base64 alone, with /n": (p8) => bodyOf(p8).replaceAll("\n", "/n"),
  "the base64 alone, with +": (p8) => bodyOf(p8).replaceAll("\n", "+"),
  "the base64 alone, with n": (p8) => bodyOf(p8).replaceAll("\n", "n"),
  "the base64 alone, with spaces": (p8) => bodyOf(p8).replaceAll("\n", " "),
  "the base64 alone, percent-encoded": (p8) => encodeURIComponent(bodyOf(p8)),
  "the base64 alone, quoted-printable": (p8) => mail(bodyOf(p8)),
  "base64url alone": (p8) => derOf(p8).toString("base64url"),

  "a JSON Web Key": (p8) => JSON.stringify(jwkOf(p8)),
  "a JSON Web Key in lines": (p8) => JSON.stringify(jwkOf(p8), null, 2),
  "a set of JSON Web Keys": (p8) =>
    JSON.stringify({ keys: [{ kid: ids.keyId, use: "sig", alg: "ES256", ...jwkOf(p8) }] }),
  "a JSON Web Key in a field": (p8) => JSON.stringify({ keyId: ids.keyId, key: jwkOf(p8) }),
  "a JSON Web Key as text in a field": (p8) => JSON.stringify({ key: JSON.stringify(jwkOf(p8)) }),
  "a JSON Web Key as base64": (p8) => base64(JSON.stringify(jwkOf(p8))),
  "a JSON Web Key without its public part": (p8) => JSON.stringify({ kty: "EC", crv: "P-256", d: jwkOf(p8).d }),
  "a JSON Web Key in single quotes": (p8) => JSON.stringify(jwkOf(p8)).replaceAll("\"", "'"),

  "JSON of a Buffer": (p8) => JSON.stringify(Buffer.from(p8)),
  "JSON of a Buffer in lines": (p8) => JSON.stringify(Buffer.from(p8), null, 2),
  "JSON of a Buffer of DER": (p8) => JSON.stringify(derOf(p8)),
  "JSON of a Buffer in a field": (p8) => JSON.stringify({ key: Buffer.from(p8) }),
  "JSON of a Buffer, twice": (p8) => JSON.stringify(JSON.stringify(Buffer.from(p8))),
  "JSON of a Buffer as base64": (p8) => base64(JSON.stringify(Buffer.from(p8))),
  "JSON of a Uint8Array": (p8) => JSON.stringify(new Uint8Array(Buffer.from(p8))),
  "JSON of an array of bytes": (p8) => JSON.stringify([...Buffer.from(p8)]),
  "JSON of an array of signed bytes": (p8) => JSON.stringify([...new Int8Array(derOf(p8))]),
  "bytes as Go prints them": (p8) => `[${[...Buffer.from(p8)].join(" ")}]`,
  "bytes as Node prints them": (p8) => `<Buffer ${hexOf(Buffer.from(p8), (byte) => byte, " ")}>`,
  "bytes as Python prints them": (p8) => `b'${p8.replaceAll("\n", "\\n")}'`,
  "base64 as Python prints it": (p8) => `b'${base64(p8)}'`,

  "a field of JSON, below others": (p8) => JSON.stringify({ app: 1, apns: { keyId: ids.keyId, private_key: p8 } }),
  "base64 in a field of JSON": (p8) => JSON.stringify({ data: { "AuthKey_ABC123DEFG.p8": base64(p8) } }),
  "base64 of DER in a field of JSON": (p8) => JSON.stringify({ keyId: ids.keyId, key: base64(derOf(p8)) }),
  "hexadecimal in a field of JSON": (p8) => JSON.stringify({ key: derOf(p8).toString("hex") }),
  "base64 alone in a field of JSON": (p8) => JSON.stringify({ teamId: ids.teamId, key: bodyOf(p8) }),
  "JSON with other long values": (p8) =>
    JSON.stringify({
      comment: "x".repeat(70),
      arn: `arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/apns/${"AbCdEf0123456789".repeat(4)}`,
      key: base64(derOf(p8))
    }),
  "JSON of an array of lines": (p8) => JSON.stringify(p8.trimEnd().split("\n")),
  "a Secret of Kubernetes": (p8) =>
    `kind: Secret\nmetadata:\n  name: a\n  uid: ${"0123456789abcdef".repeat(5)}\ndata:\n  key: ${base64(p8)}\n`,

  ...Object.fromEntries(
    [1, 2, 3, 4, 5, 6].flatMap((n): ReadonlyArray<[string, (p8: string) => string]> => [
      [`base64, ${n} times`, (p8) => times(n, p8, base64)],
      [`base64 in lines, ${n} times`, (p8) => times(n, p8, (text) => base64(text).replace(/(.{76})/g, "$1\n"))],
      [`base64url, ${n} times`, (p8) => times(n, p8, (text) => Buffer.from(text).toString("base64url"))],
      [`base64 of DER, ${n + 1} times`, (p8) => times(n, base64(derOf(p8)), base64)]
    ])
  ),
  "hexadecimal": (p8) => Buffer.from(p8).toString("hex"),
  "hexadecimal in upper case": (p8) => Buffer.from(p8).toString("hex").toUpperCase(),
  "hexadecimal with 0x": (p8) => `0x${derOf(p8).toString("hex")}`,
  "hexadecimal as PostgreSQL prints it": (p8) => `\\x${derOf(p8).toString("hex")}`,
  "hexadecimal in lines": (p8) => derOf(p8).toString("hex").replace(/(.{32})/g, "$1\n"),
  "hexadecimal with spaces": (p8) => hexOf(derOf(p8), (byte) => byte, " "),
  "hexadecimal as C writes it": (p8) => hexOf(derOf(p8), (byte) => `0x${byte}`, ", "),
  "hexadecimal as shells write it": (p8) => hexOf(Buffer.from(p8), (byte) => `\\x${byte}`),
  "hexadecimal of base64": (p8) => Buffer.from(base64(p8)).toString("hex"),
  "base64 of hexadecimal": (p8) => base64(derOf(p8).toString("hex"))
})

describe("a signing key made by openssl", () => {
  for (const [name, shape] of Object.entries(shapes)) {
    it.effect(`is read from: ${name}`, () =>
      Effect.forEach(keys, (p8) =>
        Effect.gen(function*() {
          const { identity, key } = yield* Credentials.token({ key: Redacted.make(shape(p8)), ...ids })
          assert.strictEqual(
            Redacted.value(key),
            crypto.createPrivateKey(p8).export({ type: "pkcs8", format: "pem" }).toString()
          )
          assert.strictEqual(identity, (yield* Credentials.token({ key: Redacted.make(p8), ...ids })).identity)
        })))
  }

  const refused: Record<string, readonly [(p8: string) => string, Credentials.Reason, RegExp]> = {
    "one character of the private part was changed": [
      (p8) => p8.replace(/(?<=-----\n.{55})./, (c) => (c === "A" ? "B" : "A")),
      "InvalidKey",
      /is damaged, it does not fit the public key beside it: compare it with the original file/
    ],
    "the last line but one is missing": [
      (p8) => p8.replace(/[^\n]+\n(?=[^\n]+\n-----END)/, ""),
      "InvalidKey",
      /is damaged: 48 of its 1(38|50) bytes are missing\. Compare it with the original file/
    ],
    "it ends in its middle": [
      (p8) => p8.slice(0, 150),
      "NotPem",
      /is cut off: it begins with "-----BEGIN \.\.\.-----" and has no "-----END \.\.\.-----"/
    ],
    "only its public part is there": [
      (p8) => crypto.createPublicKey(p8).export({ type: "spki", format: "pem" }).toString(),
      "NoKey",
      /no private key in the key given, only PUBLIC KEY/
    ]
  }
  for (const [name, [shape, reason, message]] of Object.entries(refused)) {
    it.effect(`${name} -> refused, without advice to make a new key`, () =>
      Effect.forEach(keys, (p8) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(Credentials.token({ key: Redacted.make(shape(p8)), ...ids }))
          assert.strictEqual(error.reason, reason, error.message)
          assert.match(error.message, message)
          assert.notMatch(error.message, /download|new key|create|make a|revoke|export it again/i)
          assert.notInclude(JSON.stringify(error), bodyOf(p8).slice(50, 70))
        })))
  }
})

describe("texts that are not keys", () => {
  const long: Record<string, string | Uint8Array> = {
    "random bytes": crypto.randomBytes(100_000),
    "random base64": crypto.randomBytes(20_000).toString("base64"),
    "beginnings of DER": "MI".repeat(20_000),
    "numbers": "12,".repeat(20_000),
    "hexadecimal": "30".repeat(20_000),
    "backslashes": "\\".repeat(50_000),
    "ampersands": "&amp;".repeat(10_000),
    "percent signs": "%25".repeat(10_000),
    "hyphens": "-".repeat(50_000),
    "beginnings": "-----BEGIN ".repeat(5_000),
    "beginnings of blocks": "-----BEGIN A-----".repeat(5_000),
    "base64 of base64 of words": times(12, "hello world ".repeat(30), base64)
  }
  for (const [name, text] of Object.entries(long)) {
    // quadratic work would take minutes, which the timeout of a test does not wait for
    it(`refused quickly: ${name}`, () => {
      assert.deepStrictEqual(pemBlocks(text), [])
    })
  }
})
