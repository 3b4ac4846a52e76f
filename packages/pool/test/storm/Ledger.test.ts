import { assert, describe, it } from "@effect/vitest"
import { Ledger, Outcome } from "./Ledger.js"

/** Three notifications that went well; `tell` adds what did not. */
const verdict = (tell: (ledger: Ledger) => void) => {
  const ledger = new Ledger(4)
  for (const n of [0, 1, 2, 3]) ledger.handed(n, n === 3)
  for (const n of [0, 1, 2]) {
    ledger.acceptedByServer(n)
    ledger.settled(n, Outcome.accepted)
  }
  tell(ledger)
  const { contradicted, doubled, examples, lost } = ledger.verdict()
  return { contradicted, doubled, lost, examples: examples.length }
}

const good = { contradicted: 0, doubled: 0, lost: 0, examples: 0 }

describe("Ledger", () => {
  it("only true outcomes -> no finding", () => {
    for (
      const tell of [
        (ledger: Ledger) => ledger.settled(3, Outcome.unprocessed),
        (ledger: Ledger) => ledger.settled(3, Outcome.unknown),
        (ledger: Ledger) => ledger.settled(3, Outcome.interrupted),
        (ledger: Ledger) => {
          ledger.rejectedByServer(3)
          ledger.settled(3, Outcome.answered)
        },
        (ledger: Ledger) => {
          ledger.acceptedByServer(3)
          ledger.settled(3, Outcome.unknown)
        },
        (ledger: Ledger) => {
          ledger.acceptedByServer(3)
          ledger.settled(3, Outcome.interrupted)
        },
        (ledger: Ledger) => {
          ledger.acceptedByServer(3)
          ledger.doubted(3)
          ledger.acceptedByServer(3)
          ledger.settled(3, Outcome.accepted)
        }
      ]
    ) assert.deepStrictEqual(verdict(tell), good)
  })

  it("a notification without an outcome -> \"lost\"", () => {
    assert.deepStrictEqual(verdict(() => {}), { ...good, lost: 1, examples: 1 })
  })

  it("a notification with two outcomes -> a finding", () => {
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.settled(3, Outcome.interrupted)
        ledger.settled(2, Outcome.unknown)
      }),
      { ...good, lost: 1, examples: 1 }
    )
  })

  it("an outcome after the caller was given up -> does not count", () => {
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.close()
        ledger.settled(3, Outcome.unknown)
      }),
      { ...good, lost: 1, examples: 1 }
    )
  })

  it("\"not processed\" although the server accepted it, before or after -> a finding", () => {
    const lie = { ...good, contradicted: 1, examples: 1 }
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.acceptedByServer(3)
        ledger.settled(3, Outcome.unprocessed)
      }),
      lie
    )
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.settled(3, Outcome.unprocessed)
        ledger.acceptedByServer(3)
      }),
      lie
    )
  })

  it("a receipt although the server accepted nothing, even if it rejected -> a finding", () => {
    const lie = { ...good, contradicted: 1, examples: 1 }
    assert.deepStrictEqual(verdict((ledger) => ledger.settled(3, Outcome.accepted)), lie)
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.rejectedByServer(3)
        ledger.settled(3, Outcome.accepted)
      }),
      lie
    )
  })

  it("an answer that the server did not give -> a finding", () => {
    assert.deepStrictEqual(verdict((ledger) => ledger.settled(3, Outcome.answered)), {
      ...good,
      contradicted: 1,
      examples: 1
    })
  })

  it("processed twice without an unknown fate in between -> a finding under every policy", () => {
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.acceptedByServer(3)
        ledger.acceptedByServer(3)
        ledger.doubted(3)
        ledger.settled(3, Outcome.accepted)
      }),
      { ...good, doubled: 1, examples: 1 }
    )
  })

  it("processed twice although the policy forbids it -> a finding", () => {
    assert.deepStrictEqual(
      verdict((ledger) => {
        ledger.doubted(2)
        ledger.acceptedByServer(2)
        ledger.settled(3, Outcome.unprocessed)
      }),
      { ...good, doubled: 1, examples: 1 }
    )
  })
})
