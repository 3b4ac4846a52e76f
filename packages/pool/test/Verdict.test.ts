import { Reason } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import * as Verdict from "../src/internal/verdict.js"

const { noHistory } = Verdict

/** A request that has been moved twice already, and whose token was signed anew. */
const tired: Verdict.History = { moves: Verdict.maxMoves, copies: 2, resigned: true }

describe("the verdict on an answer", () => {
  const rows: ReadonlyArray<
    readonly [status: number, reason: string, signed: boolean, first: Verdict.Verdict, tired: Verdict.Verdict]
  > = [
    [400, "BadDeviceToken", true, "settle", "settle"],
    [400, "IdleTimeout", true, "repeat", "settle"],
    [403, "ExpiredProviderToken", true, "resign", "settle"],
    [403, "ExpiredProviderToken", false, "settle", "settle"],
    [403, "InvalidProviderToken", true, "settle", "settle"],
    [403, "BadCertificate", false, "settle", "settle"],
    [410, "Unregistered", true, "settle", "settle"],
    [413, "PayloadTooLarge", true, "settle", "settle"],
    [429, "TooManyRequests", true, "backoff", "backoff"],
    [429, "TooManyProviderTokenUpdates", true, "keepToken", "settle"],
    [429, "TooManyProviderTokenUpdates", false, "settle", "settle"],
    [500, "InternalServerError", true, "backoff", "backoff"],
    [503, "ServiceUnavailable", true, "backoff", "backoff"],
    [503, "Shutdown", true, "repeat", "settle"],
    [418, "AReasonOfTomorrow", true, "settle", "settle"]
  ]
  for (const [status, reason, signed, first, later] of rows) {
    it(`${status} ${reason}${signed ? "" : ", without a provider token"} -> ${first}; after all moves, copies and the new signature ${later}`, () => {
      const info = Reason.info(reason, status)
      assert.strictEqual(Verdict.ofAnswer(info, noHistory, signed), first)
      assert.strictEqual(Verdict.ofAnswer(info, tired, signed), later)
    })
  }

  it("a server error that asks for a new connection -> backoff, no matter how often the request was moved", () => {
    const info = { class: "server", retry: "new-connection" } as const
    assert.strictEqual(Verdict.ofAnswer(info, noHistory, true), "backoff")
    assert.strictEqual(Verdict.ofAnswer(info, tired, true), "backoff")
  })

  it("every documented reason has a verdict, and none is repeated forever without a wait", () => {
    for (const reason of Object.values(Reason.table)) {
      const verdict = Verdict.ofAnswer(reason, noHistory, true)
      assert.include(["settle", "repeat", "backoff", "resign", "keepToken"], verdict)
      assert.include(["settle", "backoff"], Verdict.ofAnswer(reason, tired, true))
    }
  })
})

describe("the verdict on a failure", () => {
  const allowed = { retransmit: true, maxRetransmits: 2 }
  const forbidden = { retransmit: false, maxRetransmits: 2 }

  it("not processed -> moved at once, twice; then the schedule decides, under every policy", () => {
    for (const rules of [allowed, forbidden]) {
      for (const moves of [0, 1]) {
        assert.strictEqual(
          Verdict.ofFailure({ _tag: "Closed", processed: "no" }, { ...noHistory, moves }, rules),
          "repeat"
        )
      }
      assert.strictEqual(Verdict.ofFailure({ _tag: "StreamReset", processed: "no" }, tired, rules), "retry")
    }
  })

  it("unknown -> sent again if the policy allows it, at most maxRetransmits times", () => {
    const lost = { _tag: "Closed", processed: "unknown" } as const
    assert.strictEqual(Verdict.ofFailure(lost, noHistory, forbidden), "settle")
    assert.strictEqual(Verdict.ofFailure(lost, noHistory, allowed), "retry")
    assert.strictEqual(Verdict.ofFailure(lost, { ...noHistory, copies: 1 }, allowed), "retry")
    assert.strictEqual(Verdict.ofFailure(lost, { ...noHistory, copies: 2 }, allowed), "settle")
    assert.strictEqual(Verdict.ofFailure(lost, noHistory, { ...allowed, maxRetransmits: 0 }), "settle")
    assert.strictEqual(
      Verdict.ofFailure(lost, { ...noHistory, copies: 1_000_000 }, { ...allowed, maxRetransmits: Infinity }),
      "retry"
    )
  })

  it("a timeout, or an answer that cannot be parsed -> final", () => {
    assert.strictEqual(Verdict.ofFailure({ _tag: "Timeout", processed: "unknown" }, noHistory, allowed), "settle")
    assert.strictEqual(Verdict.ofFailure({ _tag: "MalformedResponse", processed: "yes" }, noHistory, allowed), "settle")
    assert.strictEqual(Verdict.ofFailure({ _tag: "ResponseTooLarge", processed: "yes" }, noHistory, allowed), "settle")
  })
})
