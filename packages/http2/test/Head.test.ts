/** Heads alone: no head is made before a test begins, so that a change which makes all of them throw fails a test. */
import { Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"

describe("a head", () => {
  it("without a prefix -> its size is that of its method and headers (RFC 9113 section 6.5.2)", () => {
    const empty = new Session.Head("GET", [])
    assert.deepStrictEqual([empty.method, empty.headers, empty.pathPrefix, empty.listSize], ["GET", [], "", 3])
    assert.strictEqual(new Session.Head("DELETE", [["abc", "defgh"]]).listSize, 6 + 3 + 5 + 32)
  })

  it("with a prefix -> its size has that of the prefix, too", () => {
    const head = new Session.Head("POST", [["abc", "defgh"]], "/3/device/")
    assert.deepStrictEqual([head.pathPrefix, head.listSize], ["/3/device/", 4 + 3 + 5 + 32 + 10])
  })

  it("with a prefix that does not start with a slash, or a header that may not be sent -> throws", () => {
    for (const prefix of ["3/device/", " ", "/ü", "/a b"]) {
      assert.throws(() => new Session.Head("GET", [], prefix), Session.InvalidHeader, /path has to start with a slash/)
    }
    assert.throws(() => new Session.Head("GET", [["A", "b"]]), Session.InvalidHeader)
  })
})
