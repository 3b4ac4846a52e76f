import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import type * as Utils from "effect/Utils"
import { setImmediate } from "node:timers"
import { type Place, run, step } from "./effects.js"

/** Waits that grow by a factor up to a maximum, each randomly up to a fifth shorter or longer. */
export interface Growth {
  readonly firstMillis: number
  readonly factor: number
  readonly maxMillis: number
}

const growths = new WeakMap<object, Growth>()

/** A schedule of such waits. The pool recognizes these schedules and computes their waits without running an effect. */
export const exponential = (growth: Growth): Schedule.Schedule<unknown> => {
  const schedule = Schedule.exponential(growth.firstMillis, growth.factor).pipe(
    Schedule.union(Schedule.spaced(growth.maxMillis)),
    Schedule.jittered
  )
  growths.set(schedule, growth)
  return schedule
}

/** The jitter of `Schedule.jittered`. */
const least = 0.8
const most = 1.2

/** The ends of long waits are rounded to this many milliseconds: one timer and one write for many requests. */
const gridMillis = 64
const longMillis = 500

/**
 * When wait number `steps` (from 0), which begins at `nowMillis`, ends.
 *
 * @param random from 0 to 1
 */
export const endOfWait = (growth: Growth, steps: number, nowMillis: number, random: number): number => {
  const wait = Math.min(growth.firstMillis * growth.factor ** steps, growth.maxMillis)
  const at = nowMillis + wait * (least + (most - least) * random)
  if (wait < longMillis) return at
  const later = Math.ceil(at / gridMillis) * gridMillis
  return later - nowMillis <= wait * most ? later : later - gridMillis
}

/** One request that asks a schedule for its next wait. */
interface Question {
  readonly effect: Effect.Effect<Place>
  readonly answer: (exit: Exit.Exit<Place>) => void
}

/** A fiber that runs schedules; if a schedule waits, the fiber continues with that request only. */
interface Worker {
  current: Question | undefined
}

/** How many steps of schedules are run in one turn of the event loop: a few milliseconds. */
const stepsInATurn = 500

/**
 * Asks schedules when to send again. {@link exponential} schedules are computed. All others are effects of the caller: one
 * fiber runs them for all requests of a tick, since a fiber for each request costs more than the step. A schedule that is
 * slow, fails, or ends its fiber does not delay or break the steps of other requests.
 */
export class Schedules {
  private readonly questions: Array<Question> = []
  /** The index of the first request that was not handled yet. */
  private next = 0
  private worker: Worker | undefined = undefined
  private planned = false
  /** How many fibers were started: one for a tick, not one for a request. */
  started = 0

  constructor(private readonly runtime: Runtime.Runtime<never>, private readonly random: Utils.PCGRandom) {}

  /** The next place of a schedule that can be computed; `undefined` if the schedule must be run. */
  compute(
    schedule: Schedule.Schedule<unknown, never>,
    nowMillis: number,
    before: Place | undefined
  ): Place | undefined {
    const growth = growths.get(schedule)
    if (growth === undefined) return undefined
    const steps = typeof before?.state === "number" ? before.state : 0
    return { state: steps + 1, at: endOfWait(growth, steps, nowMillis, this.random.number()) }
  }

  /** Runs the schedule at the end of this tick. */
  ask<In>(
    schedule: Schedule.Schedule<unknown, In>,
    nowMillis: number,
    input: In,
    before: Place | undefined,
    answer: (exit: Exit.Exit<Place>) => void
  ): void {
    this.questions.push({ effect: step(schedule, nowMillis, input, before), answer })
    if (this.planned) return
    this.planned = true
    process.nextTick(this.turn)
  }

  private readonly turn = (): void => {
    const end = Math.min(this.questions.length, this.next + stepsInATurn)
    while (this.next < end) this.work(end)
    if (this.next < this.questions.length) return void setImmediate(this.turn)
    this.questions.length = 0
    this.next = 0
    this.planned = false
  }

  /** Runs schedules until `end`, or until one of them waits: then the fiber continues with that request only. */
  private work(end: number): void {
    const worker: Worker = { current: undefined }
    this.worker = worker
    this.started++
    const asking = Effect.whileLoop({
      while: () => {
        if (this.worker !== worker || this.next >= end) return false
        worker.current = this.questions[this.next++]
        return worker.current !== undefined
      },
      body: () => Effect.exit(worker.current?.effect ?? Effect.interrupt),
      step: (exit) => answer(worker, exit)
    })
    run(this.runtime, asking, (exit) => {
      if (Exit.isFailure(exit)) answer(worker, Exit.failCause(exit.cause))
    })
    this.worker = undefined
  }
}

const answer = (worker: Worker, exit: Exit.Exit<Place>): void => {
  const question = worker.current
  worker.current = undefined
  question?.answer(exit)
}
