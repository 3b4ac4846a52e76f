/**
 * What Effect costs before there is anything to send: the same fibers, each looping over one bare `Effect.async` with a
 * canceler, over a transport that answers 128 of them in each turn of the event loop and does nothing else.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workers from "./Workers.js"

const answersPerTurn = 128

interface Pending {
  answer: ((status: number) => void) | undefined
}

class FakeTransport {
  private readonly waiting: Array<Pending> = []
  private from = 0
  private scheduled = false
  answered = 0

  send(answer: (status: number) => void): Pending {
    const pending: Pending = { answer }
    this.waiting.push(pending)
    if (!this.scheduled) {
      this.scheduled = true
      setImmediate(() => this.turn())
    }
    return pending
  }

  private turn(): void {
    this.scheduled = false
    for (let i = 0; i < answersPerTurn; i++) {
      const pending = this.waiting[this.from]
      if (pending === undefined) break
      this.from++
      this.answered++
      pending.answer?.(200)
    }
    if (this.from > 4_096) {
      this.waiting.splice(0, this.from)
      this.from = 0
    }
    if (this.from < this.waiting.length && !this.scheduled) {
      this.scheduled = true
      setImmediate(() => this.turn())
    }
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const transport = new FakeTransport()
  const post = Effect.async<number>((resume) => {
    const pending = transport.send((status) => resume(Effect.succeed(status)))
    return Effect.sync(() => {
      pending.answer = undefined
    })
  })
  return {
    run: async (first, count) => {
      const before = transport.answered
      await Effect.runPromise(Workers.run(target.inFlight + target.waiting, first, count, () => Effect.asVoid(post)))
      const answered = transport.answered - before
      if (answered !== count) throw new Error(`${answered} answers to ${count} sends.`)
    },
    close: async () => {}
  }
}
