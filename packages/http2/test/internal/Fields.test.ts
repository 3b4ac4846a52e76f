import { assert, describe, it } from "@effect/vitest"
import {
  badValue,
  checkName,
  checkValue,
  InvalidHeader,
  isBadValue,
  isSpace,
  Kind,
  nameOf
} from "../../src/internal/fields.js"

/** The characters of a token, without upper-case letters (RFC 9110 section 5.6.2, RFC 9113 section 8.2.1). */
const tokenCharacters = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

const all = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))

const connectionSpecific = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"]

const messageOf = (check: () => void): string => {
  try {
    check()
    return ""
  } catch (error) {
    assert.instanceOf(error, InvalidHeader)
    assert.instanceOf(error, TypeError)
    assert.strictEqual(error instanceof Error ? error.name : "", "InvalidHeader")
    return error instanceof Error ? error.message : ""
  }
}

describe("the name of a received field", () => {
  it("has the kind that the session acts on", () => {
    const kinds = [":status", "apns-id", "content-length"].map((text) => nameOf(text).kind)
    assert.deepStrictEqual(kinds, [Kind.status, Kind.apnsId, Kind.contentLength])
    assert.deepStrictEqual([Kind.other, Kind.status, Kind.apnsId, Kind.contentLength, Kind.malformed], [0, 1, 2, 3, 4])
    assert.isAbove(badValue, Kind.malformed)
    for (const text of ["apns-unique-id", "apns-request-id", "apns-channel-id", "retry-after", "x", "tea", "server"]) {
      assert.deepStrictEqual(nameOf(text), { text, kind: Kind.other })
    }
  })

  it("is malformed if it is not a lower-case token, is another pseudo-header, or belongs to HTTP/1.1 connections", () => {
    for (const character of all) {
      for (const text of [character, `a${character}`, `${character}a`, `a${character}a`]) {
        const expected = tokenCharacters.includes(character) ? Kind.other : Kind.malformed
        assert.strictEqual(nameOf(text).kind, expected, JSON.stringify(text))
      }
    }
    for (const text of ["", ":path", ":status ", "Apns-Id", ...connectionSpecific]) {
      assert.deepStrictEqual(nameOf(text), { text, kind: Kind.malformed })
    }
  })

  it("is the same string object each time if servers often send it", () => {
    const often = [
      ":status",
      "apns-id",
      "apns-unique-id",
      "apns-request-id",
      "apns-channel-id",
      "content-length",
      "retry-after"
    ]
    for (const text of often) assert.strictEqual(nameOf(text), nameOf(text))
    assert.notStrictEqual(nameOf("x-other"), nameOf("x-other"))
  })
})

describe("the value of a received field", () => {
  it("is invalid with NUL, LF or CR anywhere, and with no other character", () => {
    for (const character of all) {
      const expected = character === "\0" || character === "\n" || character === "\r"
      for (const text of [`a${character}b`, `abc${character}d`]) {
        assert.strictEqual(isBadValue(text), expected, JSON.stringify(text))
      }
    }
    for (const text of ["\0", "\n", "\r", "\nb", "b\r"]) assert.isTrue(isBadValue(text))
  })

  it("is invalid with white space around it, and valid if it is empty", () => {
    assert.deepStrictEqual(
      ["", "a", "a b", " a", "a ", "\ta", "a\t", " "].map(isBadValue),
      [false, false, false, true, true, true, true, true]
    )
    assert.deepStrictEqual(all.filter((character) => isSpace(character.charCodeAt(0))), ["\t", " "])
  })
})

describe("the name of a header that is to be sent", () => {
  it("may be a token in lower case", () => {
    for (const character of all) {
      const expected = tokenCharacters.includes(character)
      assert.strictEqual(messageOf(() => checkName(`a${character}`)) === "", expected, JSON.stringify(character))
    }
    for (const name of ["apns-topic", "x", "tea", "content-type"]) {
      assert.strictEqual(messageOf(() => checkName(name)), "")
    }
  })

  it("is refused with the reason", () => {
    const wrong = {
      ":path": "The header name \":path\" is a pseudo-header: the session sets them",
      "": "The header name \"\" has characters that HTTP does not allow in a name",
      "a b": "The header name \"a b\" has characters that HTTP does not allow in a name",
      "a:": "The header name \"a:\" has characters that HTTP does not allow in a name",
      "Apns-Topic": "The header name \"Apns-Topic\" must be in lower case",
      "content-length": "The header \"content-length\" is not for callers to set: the session sends the body's length"
    }
    for (const [name, message] of Object.entries(wrong)) assert.strictEqual(messageOf(() => checkName(name)), message)
    for (const name of connectionSpecific) {
      assert.strictEqual(messageOf(() => checkName(name)), `The header "${name}" does not exist in HTTP/2`)
    }
  })

  it("is shown up to 60 characters", () => {
    assert.include(messageOf(() => checkName("A".repeat(60))), `"${"A".repeat(60)}"`)
    assert.include(messageOf(() => checkName("A".repeat(61))), `"${"A".repeat(60)}…"`)
  })
})

describe("the value of a header that is to be sent", () => {
  it("may have each character of ISO 8859-1 but control characters, and tabs", () => {
    for (const character of [...all, "Ā", "€", "😀"]) {
      const code = character.charCodeAt(0)
      const expected = code === 9 || (code >= 32 && code !== 127 && code <= 255)
      const message = messageOf(() => checkValue("x", `a${character}b`))
      if (expected) assert.strictEqual(message, "")
      else {
        const hex = code.toString(16).toUpperCase().padStart(4, "0")
        assert.strictEqual(
          message,
          `The value of the header "x" has a character that HTTP does not allow: U+${hex} at index 1`
        )
      }
    }
  })

  it("may be empty, and may not start or end with white space", () => {
    for (const value of ["", "a", "a b", "a\tb"]) assert.strictEqual(messageOf(() => checkValue("x", value)), "")
    for (const value of [" a", "a ", "\ta", "a\t", " "]) {
      assert.strictEqual(
        messageOf(() => checkValue("x", value)),
        "The value of the header \"x\" starts or ends with white space"
      )
    }
  })

  it("is not in the error if it is refused: it may be a secret", () => {
    assert.notInclude(messageOf(() => checkValue("authorization", "bearer secret\n")), "secret")
  })
})
