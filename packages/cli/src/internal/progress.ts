import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

/** Where progress goes: standard error. */
export interface Screen {
  readonly isTerminal: boolean
  readonly columns: () => number
  readonly write: (text: string) => void
}

export const Screen: Context.Tag<Screen, Screen> = Context.GenericTag<Screen>("@effect-apns/cli/Screen")

export const stderr: Screen = {
  isTerminal: process.stderr.isTTY === true,
  columns: () => process.stderr.columns ?? 80,
  write: (text) => void process.stderr.write(text)
}

export const layerStderr: Layer.Layer<Screen> = Layer.succeed(Screen, stderr)

/** How far a bulk is. */
export interface State {
  readonly accepted: number
  readonly rejected: number
  readonly failed: number
  /** Outcomes since this process started. */
  readonly settled: number
  /** From 0 to 1, of the input that was read; `undefined` where its size is unknown. */
  readonly fraction: number | undefined
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

export const count = (n: number): string => whole.format(n)

const time = (seconds: number): string => {
  const rounded = Math.max(0, Math.round(seconds))
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60]
  const padded = String(rounded % 60).padStart(2, "0")
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${padded}` : `${minutes}:${padded}`
}

const words = (state: State, seconds: number, startedAt: number): string => {
  const { accepted, failed, fraction, rejected, settled } = state
  const rate = seconds > 0 ? settled / seconds : 0
  const left = fraction !== undefined && fraction > startedAt
    ? (seconds * (1 - fraction)) / (fraction - startedAt)
    : undefined
  return [
    ...left === undefined ? [] : [`${time(left)} left`],
    `${count(accepted + rejected + failed)} done`,
    `${count(rate)}/s`,
    `${count(accepted)} accepted`,
    ...rejected > 0 ? [`${count(rejected)} rejected`] : [],
    ...failed > 0 ? [`${count(failed)} failed`] : []
  ].join("  ")
}

const barWidth = 24

const bar = (fraction: number): string => {
  const full = Math.round(fraction * barWidth)
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)} ${String(Math.floor(fraction * 100)).padStart(3)} %  `
}

/** One line: a bar, how many, how fast, and how long it still takes. */
export const draw = (state: State, seconds: number, startedAt: number, columns: number): string =>
  ((state.fraction === undefined ? "" : bar(state.fraction)) + words(state, seconds, startedAt)).slice(0, columns - 1)

const clearLine = "\r\u001b[K"

/**
 * Shows progress until the scope closes: one line that changes on a terminal, a line every ten seconds elsewhere. The
 * result writes a message of its own without tearing the bar.
 */
export const show = (
  state: (() => State) | undefined
): Effect.Effect<(message: string) => Effect.Effect<void>, never, Screen | Scope.Scope> =>
  Effect.gen(function*() {
    const screen = yield* Screen
    const say = (message: string) => Console.error(screen.isTerminal ? clearLine + message : message)
    if (state === undefined) return say
    const started = yield* Clock.currentTimeMillis
    let startedAt: number | undefined = undefined
    const paint = Effect.map(Clock.currentTimeMillis, (now) => {
      const current = state()
      startedAt ??= current.fraction ?? 0
      const seconds = (now - started) / 1000
      screen.write(
        screen.isTerminal
          ? clearLine + draw(current, seconds, startedAt, screen.columns())
          : words(current, seconds, startedAt) + "\n"
      )
    })
    if (screen.isTerminal) yield* Effect.addFinalizer(() => Effect.sync(() => screen.write(clearLine)))
    yield* Effect.forkScoped(Effect.schedule(paint, Schedule.spaced(screen.isTerminal ? "200 millis" : "10 seconds")))
    return say
  })
