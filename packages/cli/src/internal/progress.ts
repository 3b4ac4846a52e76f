import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import stringWidth from "string-width"
import { Screen } from "./screen.js"

/** There is no connection. */
export interface Waiting {
  /** Milliseconds since the UNIX epoch. */
  readonly since: number
  readonly why: string
}

/** How far a bulk is. */
export interface State {
  readonly accepted: number
  readonly rejected: number
  readonly failed: number
  /** Outcomes since this process started. */
  readonly settled: number
  /** From 0 to 1, of the input that was read; `undefined` where its size is unknown. */
  readonly fraction: number | undefined
  readonly waiting: Waiting | undefined
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

export const count = (n: number): string => whole.format(n)

const time = (seconds: number): string => {
  const rounded = Math.max(0, Math.round(seconds))
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60]
  const padded = String(rounded % 60).padStart(2, "0")
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`
}

const span = (seconds: number): string => seconds < 60 ? `${Math.max(0, Math.round(seconds))} s` : time(seconds)

/** The parts of the line, the most important first. */
const pieces = (state: State, seconds: number, startedAt: number, now: number): ReadonlyArray<string> => {
  const { accepted, failed, fraction, rejected, settled, waiting } = state
  const totals = [
    `${count(accepted)} accepted`,
    ...rejected > 0 ? [`${count(rejected)} rejected`] : [],
    ...failed > 0 ? [`${count(failed)} failed`] : []
  ]
  if (waiting !== undefined) {
    return [`waiting for a connection since ${span((now - waiting.since) / 1000)}: ${waiting.why}`, ...totals]
  }
  const rate = seconds > 0 ? settled / seconds : 0
  const left = fraction !== undefined && fraction > startedAt
    ? (seconds * (1 - fraction)) / (fraction - startedAt)
    : undefined
  return [
    ...left === undefined ? [] : [`${time(left)} left`],
    `${count(accepted + rejected + failed)} done`,
    `${count(rate)}/s`,
    ...totals
  ]
}

/** The part of a text that fits, cut between two words. */
const cut = (text: string, room: number): string => {
  if (stringWidth(text) <= room) return text
  let kept = ""
  for (const word of text.split(" ")) {
    const longer = kept === "" ? word : `${kept} ${word}`
    if (stringWidth(longer) + 1 > room) break
    kept = longer
  }
  return `${kept.replace(/:$/, "")}…`
}

const barOf = (fraction: number, width: number): string => {
  const full = Math.round(fraction * width)
  return `${"█".repeat(full)}${"░".repeat(width - full)} ${String(Math.floor(fraction * 100)).padStart(3)} %`
}

/**
 * One line: a bar, how many, how fast, and how long it still takes, or what it waits for. On a narrow screen the least
 * important is left out.
 */
export const draw = (state: State, seconds: number, startedAt: number, now: number, columns: number): string => {
  // some terminals go to the next line as soon as the last column is written
  const room = columns - 1
  const { fraction, waiting } = state
  const [first = "", ...others] = pieces(state, seconds, startedAt, now)
  const bar = fraction === undefined || (waiting !== undefined && columns < 80)
    ? ""
    : `${barOf(fraction, columns >= 100 ? 24 : columns >= 60 ? 12 : 6)}  `
  let line = bar + cut(first, room - stringWidth(bar))
  for (const piece of others) {
    if (stringWidth(line) + 2 + stringWidth(piece) > room) break
    line += `  ${piece}`
  }
  return line
}

/** Shows the progress. */
export interface Shown {
  /** Writes a message above the bar. */
  readonly say: (message: string) => Effect.Effect<void>
  /** There is no connection any more. */
  readonly waiting: Effect.Effect<void>
  /** There is one again. */
  readonly connected: Effect.Effect<void>
}

/** Shows progress until the scope closes: one line that changes on a terminal, a line every ten seconds elsewhere. */
export const show = (state: (() => State) | undefined): Effect.Effect<Shown, never, Scope.Scope> =>
  Effect.gen(function*() {
    const terminal = yield* Screen
    const say = (message: string) => Console.error(message)
    if (state === undefined) return { say, waiting: Effect.void, connected: Effect.void }
    const started = yield* Clock.currentTimeMillis
    let startedAt: number | undefined = undefined
    /** Milliseconds that it was not waiting. */
    let working = 0
    let last = started
    const paint = Effect.map(Clock.currentTimeMillis, (now) => {
      const current = state()
      if (current.waiting === undefined) working += now - last
      last = now
      startedAt ??= current.fraction ?? 0
      return { current, seconds: working / 1000, startedAt, now }
    })
    const live = Effect.map(
      paint,
      ({ current, now, seconds, startedAt }) =>
        terminal.show(draw(current, seconds, startedAt, now, terminal.columns()))
    )
    const plain = Effect.flatMap(
      paint,
      ({ current, now, seconds, startedAt }) => say(pieces(current, seconds, startedAt, now).join("  "))
    )
    if (terminal.isLive) yield* Effect.addFinalizer(() => Effect.sync(() => terminal.show(undefined)))
    yield* Effect.forkScoped(
      terminal.isLive
        ? Effect.schedule(live, Schedule.spaced("200 millis"))
        : Effect.schedule(plain, Schedule.spaced("10 seconds"))
    )
    return terminal.isLive
      ? { say, waiting: live, connected: live }
      : { say, waiting: plain, connected: say("connected again") }
  })
