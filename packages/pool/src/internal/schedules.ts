import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import type * as Utils from "effect/Utils"
import { setImmediate } from "node:timers"
import { type Place, run, step } from "./effects.js"

/** Waits that grow by a factor up to a maximum, each made up to a fifth shorter or longer by chance. */
export interface Growth {
  readonly firstMillis: number
  readonly factor: number
  readonly maxMillis: number
}

const growths = new WeakMap<object, Growth>()

/** A schedule of such waits. The pool computes them without running an effect, wherever it meets this very schedule. */
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

/** Long waits end together every so many milliseconds: one timer and one write for many requests. */
const gridMillis = 64
const longMillis = 500

/**
 * When the wait number `steps`, counted from 0, ends that begins at `nowMillis`.
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

/** One request's question to a schedule. */
interface Question {
  readonly effect: Effect.Effect<Place>
  readonly answer: (exit: Exit.Exit<Place>) => void
}

/** A fiber that asks; one that waits for a schedule is left alone with that question. */
interface Worker {
  current: Question | undefined
}

/** Steps of schedules in one turn of the event loop: a few milliseconds. */
const stepsInATurn = 500

/**
 * Asks schedules when to send again. Schedules that are {@link exponential} are computed. All others are programs of the
 * caller's: what comes in one tick is asked by one fiber, since a fiber for each request costs more than the question. A
 * schedule that takes its time, fails, or ends the fiber that asks it delays or spoils no other question.
 */
export class Schedules {
  private readonly questions: Array<Question> = []
  /** The first question that was not asked yet. */
  private next = 0
  private worker: Worker | undefined = undefined
  private planned = false
  /** Fibers that were started: their number depends on the ticks, not on the questions. */
  started = 0

  constructor(private readonly runtime: Runtime.Runtime<never>, private readonly random: Utils.PCGRandom) {}

  /** The next place of a schedule that can be computed; `undefined` for one that has to be asked. */
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

  /** Asks at the end of this tick. */
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

  /** Asks until `end`, or until a schedule takes its time: then the fiber goes on with that question alone. */
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
