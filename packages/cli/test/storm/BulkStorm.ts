import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { Effect, Random } from "effect"
import { environmentOf, token, writeTokens } from "../utils/harness.js"
import type { Command } from "../utils/process.js"
import { start } from "../utils/process.js"

export interface Options {
  readonly tokens: number
  /** How often the process is killed. */
  readonly kills: number
  /** How often APNs goes away, for a second or two. */
  readonly outages: number
  readonly concurrency: number
  readonly seed: string
  readonly command: Command
  readonly say: (text: string) => Effect.Effect<void>
}

export interface Report {
  /** The code that the last process ended with. */
  readonly code: number | null
  readonly kills: number
  readonly outages: number
  /** Tokens whose newest line is not "accepted", or that have none. */
  readonly without: number
  /** Lines beyond the first of a token. */
  readonly extraLines: number
  /** Tokens that APNs has never seen. */
  readonly lost: number
  /** Tokens that APNs has seen more often than once and once more for each kill or outage that they were under way at. */
  readonly doubled: number
  /** Tokens that APNs has seen under more than one apns-id or collapse id. */
  readonly renamed: number
  /** Tokens that APNs has seen more than once, as is right. */
  readonly repeated: number
}

interface Seen {
  copies: number
  readonly names: Set<string>
  /** Kills and outages at which it had been seen and had no line. */
  underWay: number
}

/** Which tokens have a line, and how many lines there are. */
const linesOf = (file: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const outcomes = new Map<string, string>()
    let lines = 0
    if (!(yield* fs.exists(file))) return { lines, outcomes }
    const texts = (yield* fs.readFileString(file)).split("\n")
    // what stands behind the last line end is torn
    for (const text of texts.slice(1, -1)) {
      const { outcome, token } = JSON.parse(text)
      outcomes.set(token, outcome)
      lines++
    }
    return { lines, outcomes }
  })

/**
 * A bulk through kills and outages, against a mock that counts what it sees: every token must have exactly one final
 * outcome, and only those under way at a kill or an outage may be seen twice, under the same names.
 */
export const storm = (options: Options) =>
  Effect.scoped(
    Effect.gen(function*() {
      const { command, concurrency, kills, outages, say, tokens } = options
      const fs = yield* FileSystem.FileSystem
      const dir = yield* fs.makeTempDirectoryScoped({ prefix: "bulk-storm-" })
      const seen = new Map<string, Seen>()
      const mock = yield* MockApns.make({
        delay: "10 millis",
        record: false,
        onReceived: ({ apnsId, collapseId, token = "" }) => {
          const name = `${apnsId} ${collapseId}`
          const before = seen.get(token)
          if (before === undefined) seen.set(token, { copies: 1, names: new Set([name]), underWay: 0 })
          else {
            before.copies++
            before.names.add(name)
          }
        }
      })
      const environment = yield* environmentOf(mock, dir)
      const out = `${dir}/out`
      yield* writeTokens(`${dir}/tokens`, Array.from({ length: tokens }, (_, i) => token(i + 1)))
      const args = [
        ...["bulk", `${dir}/tokens`, "--out", out, "--title", "Hello", "--quiet"],
        ...["--concurrency", String(concurrency)]
      ]
      const markUnderWay = Effect.map(linesOf(out), ({ outcomes }) => {
        for (const [token, each] of seen) if (!outcomes.has(token)) each.underWay++
      })
      /** What happens when, by how many tokens are new to the mock. */
      const events = Array.from({ length: kills + outages }, (_, i) => i < kills ? "kill" as const : "outage" as const)
      const share = Math.floor(tokens / (events.length + 1))
      let process = yield* start(args, environment, "", command)
      let at = 0
      for (const event of yield* Effect.map(Random.shuffle(events), Array.from)) {
        at += yield* Random.nextIntBetween(Math.floor(share / 2), share)
        yield* mock.until(() => seen.size >= at)
        yield* say(`${event} at ${seen.size}`)
        if (event === "kill") {
          yield* process.kill("SIGKILL")
          yield* process.exit
          yield* mock.until(({ inFlight, openConnections }) => inFlight === 0 && openConnections === 0)
          yield* markUnderWay
          process = yield* start(args, environment, "", command)
        } else {
          yield* mock.refuseConnections(true)
          yield* mock.dropConnections({ reset: true })
          yield* mock.until(({ inFlight }) => inFlight === 0)
          yield* markUnderWay
          const before = seen.size
          yield* Effect.sleep(`${yield* Random.nextIntBetween(500, 2000)} millis`)
          if (seen.size !== before) yield* Effect.dieMessage("the mock has received something while it was away")
          yield* mock.refuseConnections(false)
        }
      }
      const { code } = yield* process.exit
      const { lines, outcomes } = yield* linesOf(out)
      const all = Array.from({ length: tokens }, (_, i) => token(i + 1))
      const values = Array.from(seen.values())
      return {
        code,
        kills,
        outages,
        without: all.filter((token) => outcomes.get(token) !== "accepted").length,
        extraLines: lines - outcomes.size,
        lost: all.filter((token) => !seen.has(token)).length,
        doubled: values.filter(({ copies, underWay }) => copies > 1 + underWay).length,
        renamed: values.filter(({ names }) => names.size > 1).length,
        repeated: values.filter(({ copies }) => copies > 1).length
      }
    }).pipe(Effect.withRandom(Random.make(options.seed)))
  )

/** Nothing was lost, nothing was doubled. */
export const isGood = ({ code, doubled, extraLines, lost, renamed, without }: Report): boolean =>
  code === 0 && doubled === 0 && extraLines === 0 && lost === 0 && renamed === 0 && without === 0
