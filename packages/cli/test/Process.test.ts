import { ExitCode } from "@effect-apns/cli"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { apns, directory, environmentOf, readOutput, token, writeTokens } from "./utils/harness.js"
import { source, start } from "./utils/process.js"

const range = (count: number) => Array.from({ length: count }, (_, i) => token(i + 1))

/** Waits until so many lines are written. */
const outputHas = (file: string, lines: number) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file)).pipe(
    Effect.repeat({ until: (text) => text.split("\n").length > lines })
  )

// each waits for processes to start: side by side they take a third of the time
describe("the apns process", { concurrent: true, timeout: 120_000 }, () => {
  it.scopedLive("shows help, without colors if the output is not a terminal", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* Effect.flatMap(start(["--help"]), ({ exit }) => exit)
      assert.strictEqual(code, ExitCode.accepted)
      assert.strictEqual(err, "")
      for (const word of ["apns mock", "apns send", "bulk", "APNS_KEY_FILE", "EXIT CODES"]) {
        assert.include(out, word)
      }
      assert.notInclude(out, String.fromCharCode(27))
    }))

  it.scopedLive("bulk, where no file can be written -> says so, and leaves no file behind", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      const fs = yield* FileSystem.FileSystem
      const environment = yield* environmentOf(mock, dir)
      yield* writeTokens(`${dir}/tokens`, range(1))
      yield* fs.makeDirectory(`${dir}/full`)
      const args = ["bulk", `${dir}/tokens`, "--out", `${dir}/full/out`, "--title", "Hello"]
      // files of no byte at all, as on a disk that is full
      const limited = ["-c", "ulimit -f 0; exec \"$@\"", "sh", process.execPath, ...source, ...args]
      const ended = yield* Effect.async<{ readonly code: unknown; readonly err: string }>((resume) => {
        const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment }
        execFile("sh", limited, { env }, (error, _, err) => resume(Effect.succeed({ code: error?.code, err })))
      })
      assert.strictEqual(ended.code, ExitCode.notPossible, ended.err)
      assert.include(ended.err, "cannot be written")
      assert.deepStrictEqual(yield* fs.readDirectory(`${dir}/full`), [])
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("reads tokens from standard input", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      const environment = yield* environmentOf(mock, dir)
      yield* mock.unregister(token(2))
      const run = yield* start(
        ["bulk", "-", "--out", `${dir}/out`, "--title", "Hello", "--json"],
        environment,
        `${token(1)}\n${token(2)}\n${token(3)}`
      )
      const { code, out } = yield* run.exit
      assert.strictEqual(code, ExitCode.notAccepted)
      const { accepted, complete, rejected } = JSON.parse(out)
      assert.deepStrictEqual({ accepted, complete, rejected }, { accepted: 2, complete: true, rejected: 1 })
      const { lines } = yield* readOutput(`${dir}/out`)
      assert.sameMembers(lines.map(({ token }) => token), range(3))
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("bulk, killed half way and resumed -> one outcome each, and only requests in flight were sent twice", () =>
    Effect.gen(function*() {
      const count = 20_000
      const concurrency = 500
      const mock = yield* MockApns.make({ delay: "5 millis" })
      const dir = yield* directory
      const fs = yield* FileSystem.FileSystem
      const environment = yield* environmentOf(mock, dir)
      yield* writeTokens(`${dir}/tokens`, range(count))
      const args = [
        "bulk",
        `${dir}/tokens`,
        "--out",
        `${dir}/out`,
        "--title",
        "Hello",
        "--concurrency",
        `${concurrency}`
      ]

      const run = yield* start(args, environment)
      yield* mock.until(({ received }) => received >= count / 2)
      yield* run.kill("SIGKILL")
      assert.strictEqual((yield* run.exit).signal, "SIGKILL")
      yield* mock.until(({ inFlight, openConnections }) => inFlight === 0 && openConnections === 0)
      const before = (yield* fs.readFileString(`${dir}/out`)).split("\n").slice(1, -1)
      const done = new Set(before.map((line): unknown => JSON.parse(line).token))
      assert.isAbove(done.size, 0)
      assert.isBelow(done.size, count)

      const resumed = yield* apns([...args, "--quiet", "--json"], environment)
      assert.strictEqual(resumed.code, ExitCode.accepted)
      assert.strictEqual(JSON.parse(resumed.out).resumed, done.size)
      const { lines } = yield* readOutput(`${dir}/out`)
      assert.strictEqual(lines.length, count)
      assert.strictEqual(new Set(lines.map(({ token }) => token)).size, count)

      const seen = new Map<string | undefined, Array<string>>()
      for (const { apnsId, collapseId, token } of yield* mock.received) {
        const names = seen.get(token)
        if (names === undefined) seen.set(token, [`${apnsId} ${collapseId}`])
        else names.push(`${apnsId} ${collapseId}`)
      }
      assert.strictEqual(seen.size, count)
      const twice = Array.from(seen).filter(([, names]) => names.length > 1)
      // under way: sent, or answered without its line being written yet
      assert.isAtMost(twice.length, 2 * concurrency)
      for (const [token, names] of twice) {
        assert.strictEqual(names.length, 2)
        assert.strictEqual(names[0], names[1])
        assert.isFalse(done.has(token), "a token with an outcome was sent again")
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive.each(["SIGINT", "SIGHUP"] as const)(
    "bulk, stopped by %s and resumed: no token is sent twice",
    (signal) =>
      Effect.gen(function*() {
        const count = 4000
        const mock = yield* MockApns.make({ delay: "20 millis" })
        const dir = yield* directory
        const environment = yield* environmentOf(mock, dir)
        yield* writeTokens(`${dir}/tokens`, range(count))
        const args = ["bulk", `${dir}/tokens`, "--out", `${dir}/out`, "--title", "Hello", "--concurrency", "200"]

        const run = yield* start(args, environment)
        yield* mock.until(({ received }) => received >= count / 4)
        yield* run.kill(signal)
        const { code, err, out } = yield* run.exit
        assert.strictEqual(code, ExitCode.interrupted)
        assert.include(err, "Stopping: waiting for")
        assert.include(out, "Run the same command again to go on.")
        const stopped = yield* readOutput(`${dir}/out`)
        assert.isBelow(stopped.lines.length, count)
        assert.sameMembers(
          stopped.lines.map(({ token }) => token),
          (yield* mock.received).map(({ token }) => token ?? "")
        )

        const resumed = yield* apns([...args, "--quiet"], environment)
        assert.strictEqual(resumed.code, ExitCode.accepted)
        const tokens = (yield* mock.received).map(({ token }) => token ?? "")
        assert.strictEqual(tokens.length, count)
        assert.strictEqual(new Set(tokens).size, count)
        assert.strictEqual((yield* readOutput(`${dir}/out`)).lines.length, count)
      }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("bulk, a second Ctrl-C -> cancels requests in flight, and sends them again when resumed", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      const environment = yield* environmentOf(mock, dir)
      yield* writeTokens(`${dir}/tokens`, range(10))
      yield* mock.script(({ token: to }) => to === token(4) ? MockApns.stall : undefined)
      const args = ["bulk", `${dir}/tokens`, "--out", `${dir}/out`, "--title", "Hello"]

      const run = yield* start(args, environment)
      yield* mock.until(({ arrived }) => arrived >= 10)
      yield* run.kill("SIGTERM")
      yield* run.says("Stopping: waiting for")
      yield* outputHas(`${dir}/out`, 1 + 9)
      yield* run.kill("SIGINT")
      assert.strictEqual((yield* run.exit).code, ExitCode.interrupted)
      const stopped = yield* readOutput(`${dir}/out`)
      assert.sameMembers(stopped.lines.map(({ line }) => line), [1, 2, 3, 5, 6, 7, 8, 9, 10])

      yield* mock.script(undefined)
      assert.strictEqual((yield* apns(args, environment)).code, ExitCode.accepted)
      const { lines } = yield* readOutput(`${dir}/out`)
      assert.sameMembers(lines.map(({ token }) => token), range(10))
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("outbox run logs each event in one line on standard error, with its time and campaign", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      // a key that the server does not know stops the campaign
      const environment = { ...(yield* environmentOf(mock, dir)), APNS_KEY_ID: "WRONG12345" }
      yield* writeTokens(`${dir}/tokens`, range(3))
      const database = ["--database", `${dir}/outbox.db`]
      yield* apns(["outbox", "enqueue", `${dir}/tokens`, "--id", "news", "--title", "News", ...database], environment)
      const run = yield* start(["outbox", "run", "--until-idle", ...database], environment)
      const { err, out } = yield* run.exit
      assert.notInclude(out, "Campaign stopped")
      const lines = err.split("\n").filter((line) => line.includes("Campaign stopped"))
      assert.lengthOf(lines, 1, err)
      assert.match(lines[0] ?? "", /^timestamp=\S+ level=ERROR .*campaign=news/)
    }).pipe(Effect.provide(NodeContext.layer)))
})
