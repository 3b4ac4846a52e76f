/**
 * The answers in force: which push gets which behavior of the mock.
 *
 * @internal
 */
import { Behavior } from "@effect-apns/testing"
import type { Received } from "@effect-apns/testing"
import * as Duration from "effect/Duration"
import type { Answer, AnswerOptions, Fault } from "../Model.js"

/** RFC 9113 section 7. */
const internalError = 2

const faults: { readonly [F in Fault]: Behavior.Behavior } = {
  "goaway": Behavior.goawayBefore(),
  "goaway-after": Behavior.goawayAfter(),
  "reset": Behavior.resetStream(internalError),
  "refuse": Behavior.refuseStream,
  "drop": Behavior.dropBefore,
  "drop-after": Behavior.dropAfter,
  "black-hole": Behavior.swallow
}

const behaviorOf = (options: AnswerOptions, now: number): Behavior.Behavior | undefined => {
  const { delay, fault, reason, retryAfter, status } = options
  const dead = reason === "Unregistered" || reason === "ExpiredToken"
  const then = fault !== undefined
    ? faults[fault]
    : reason === undefined
    ? undefined
    : Behavior.reject({
      reason,
      status,
      timestamp: options.timestamp ?? (dead ? now : undefined),
      retryAfter: retryAfter === undefined ? undefined : Duration.seconds(retryAfter)
    })
  return delay === undefined || delay === 0 ? then : Behavior.slow(Duration.millis(delay), then)
}

/** @internal */
export const describe = (options: AnswerOptions): string => {
  const { delay, fault, reason, retryAfter } = options
  return [
    delay === undefined || delay === 0 ? undefined : `${delay} ms later`,
    fault,
    reason === undefined ? undefined : retryAfter === undefined ? reason : `${reason}, Retry-After ${retryAfter} s`
  ].filter((part) => part !== undefined).join(": ")
}

class Rule implements Answer {
  used = 0

  constructor(readonly id: number, readonly options: AnswerOptions) {}

  matches(request: Received.Received): boolean {
    const { pushType, token, topic } = this.options
    if (token !== undefined) {
      const wanted = token.toLowerCase()
      if (request.token?.toLowerCase() !== wanted && request.channelId !== token) return false
    }
    if (topic !== undefined) {
      const actual = request.topic ?? /^\/[14]\/(?:broadcasts\/)?apps\/([^/?#]+)/.exec(request.path)?.[1] ?? ""
      if (actual !== topic && !actual.startsWith(`${topic}.`)) return false
    }
    return pushType === undefined || request.pushType === pushType
  }
}

const maxRules = 1000

/** @internal */
export class Answers {
  private rules: Array<Rule> = []
  private nextId = 1

  constructor(private readonly now: () => number, private readonly onChange: () => void) {}

  list(): ReadonlyArray<Answer> {
    return this.rules.map(({ id, options, used }) => ({ id, options, used }))
  }

  /** The newest comes first, since of several answers the newest is used. */
  add(options: AnswerOptions): Answer {
    const rule = new Rule(this.nextId++, options)
    this.rules = [rule, ...this.rules].slice(0, maxRules)
    this.onChange()
    return { id: rule.id, options, used: 0 }
  }

  remove(id: number): boolean {
    const before = this.rules.length
    this.rules = this.rules.filter((rule) => rule.id !== id)
    if (this.rules.length === before) return false
    this.onChange()
    return true
  }

  clear(): void {
    this.rules = []
    this.onChange()
  }

  /** The behavior for a push; counts as a use of the answer. */
  decide(
    request: Received.Received
  ): { readonly behavior: Behavior.Behavior | undefined; readonly told: string } | undefined {
    if (this.rules.length === 0) return undefined
    const rule = this.rules.find((candidate) => candidate.matches(request))
    if (rule === undefined) return undefined
    rule.used++
    if (rule.options.times !== undefined && rule.used >= rule.options.times) {
      this.rules = this.rules.filter((other) => other !== rule)
    }
    this.onChange()
    return { behavior: behaviorOf(rule.options, this.now()), told: describe(rule.options) }
  }
}
