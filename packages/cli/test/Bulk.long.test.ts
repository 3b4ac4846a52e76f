import { ExitCode } from "@effect-apns/cli"
import { ErrorCode } from "@effect-apns/http2"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { spawnSync } from "node:child_process"
import { apns, directory, environmentOf, readOutput, says, token, writeTokens } from "./utils/harness.js"

const rig = (options?: MockApns.Options) =>
  Effect.gen(function*() {
    const mock = yield* MockApns.make(options)
    const dir = yield* directory
    const environment = yield* environmentOf(mock, dir)
    const fs = yield* FileSystem.FileSystem
    const out = `${dir}/out.ndjson`
    const bulk = (...more: ReadonlyArray<string>) =>
      apns(["bulk", `${dir}/tokens`, "--out", out, "--title", "Hello", "--json", ...more], environment)
    return { bulk, dir, environment, fs, mock, out, tokens: `${dir}/tokens` }
  })

describe("apns bulk", () => {
  it.scopedLive("skips empty lines and comments, takes both line ends and a last line without one", () =>
    Effect.gen(function*() {
      const { bulk, fs, mock, out, tokens } = yield* rig()
      yield* fs.writeFileString(tokens, `# the devices\r\n${token(1)}\r\n\n  ${token(2)}  \n${token(3)}`)
      const { code, out: said } = yield* bulk()
      assert.strictEqual(code, ExitCode.accepted)
      assert.deepInclude(JSON.parse(said), {
        complete: true,
        accepted: 3,
        rejected: 0,
        failed: 0,
        settled: 3,
        resumed: 0
      })
      const { lines } = yield* readOutput(out)
      assert.sameDeepMembers(
        lines.map(({ line, token }) => ({ line, token })),
        [{ line: 2, token: token(1) }, { line: 4, token: token(2) }, { line: 5, token: token(3) }]
      )
      assert.sameMembers((yield* mock.received).map(({ token }) => token), [token(1), token(2), token(3)])
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("an input without tokens -> done at once, and says that nothing was sent", () =>
    Effect.gen(function*() {
      const { bulk, environment, fs, out, tokens } = yield* rig()
      yield* fs.writeFileString(tokens, "\n# nobody\n  \n")
      const words = yield* apns(["bulk", tokens, "--out", out, "--title", "Hello"], environment)
      assert.deepStrictEqual([words.code, words.out], [
        ExitCode.accepted,
        "There was no device token in the input: nothing was sent.\n"
      ])
      yield* fs.writeFileString(tokens, "")
      const { code, out: said } = yield* bulk()
      assert.strictEqual(code, ExitCode.accepted)
      assert.deepInclude(JSON.parse(said), { complete: true, accepted: 0 })
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a token that is in the input twice -> sent twice with one collapse id, and the summary says so", () =>
    Effect.gen(function*() {
      const { bulk, dir, environment, mock, out, tokens } = yield* rig()
      yield* mock.next(MockApns.accept, MockApns.accept, MockApns.reject("BadDeviceToken"))
      yield* writeTokens(tokens, [token(10), token(2), token(10).toUpperCase()])
      const { code, out: said } = yield* bulk("--concurrency", "1")
      assert.strictEqual(code, ExitCode.notAccepted)
      assert.strictEqual(JSON.parse(said).duplicates, 1)
      const { lines } = yield* readOutput(out)
      assert.deepStrictEqual(lines.map(({ line, outcome }) => [line, outcome]), [
        [1, "accepted"],
        [2, "accepted"],
        [3, "rejected"]
      ])
      assert.strictEqual(new Set(lines.map(({ apnsId }) => apnsId)).size, 3)
      const [first, other, second] = yield* mock.received
      assert.strictEqual(first?.collapseId, second?.collapseId)
      assert.notStrictEqual(first?.collapseId, other?.collapseId)
      assert.strictEqual((yield* bulk()).code, ExitCode.notAccepted)
      assert.strictEqual(yield* mock.receivedCount, 3)

      const inWords = yield* apns(["bulk", tokens, "--out", `${dir}/2`, "--title", "Hello"], environment)
      assert.include(
        inWords.out,
        "1 line has the token of an earlier line: sent as well, under the collapse id of the first"
      )
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("--drop-duplicates sends one notification for each token, also when resumed", () =>
    Effect.gen(function*() {
      const { bulk, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1), token(2), token(1)])
      const { out: said } = yield* bulk("--drop-duplicates")
      assert.deepInclude(JSON.parse(said), { complete: true, accepted: 2, duplicates: 1 })
      yield* writeTokens(tokens, [token(1), token(2), token(1), token(2), token(3)])
      assert.deepInclude(JSON.parse((yield* bulk("--drop-duplicates")).out), {
        complete: true,
        accepted: 3,
        settled: 1,
        duplicates: 2
      })
      assert.strictEqual(yield* mock.receivedCount, 3)
      assert.sameMembers((yield* readOutput(out)).lines.map(({ line }) => line), [1, 2, 5])
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("resumed -> retries outcomes that can improve, with the same ids; the newest line counts", () =>
    Effect.gen(function*() {
      const { bulk, mock, out, tokens } = yield* rig()
      yield* mock.unregister(token(1))
      yield* writeTokens(tokens, [1, 2, 3, 4].map(token))
      const busy = new Set<string | undefined>([token(2)])
      const broken = new Set<string | undefined>([token(3)])
      yield* mock.script(({ token }) =>
        busy.has(token)
          ? MockApns.tooManyRequests({ retryAfter: "60 seconds" })
          : broken.has(token)
          ? MockApns.resetStream(ErrorCode.ErrorCode.INTERNAL_ERROR)
          : undefined
      )
      const args = ["--retransmit", "never", "--timeout", "1 second"]
      const first = yield* bulk(...args)
      assert.strictEqual(first.code, ExitCode.notAccepted)
      assert.deepInclude(JSON.parse(first.out), {
        complete: true,
        accepted: 1,
        rejected: 2,
        failed: 1,
        again: 2,
        reasons: { Unregistered: 1, TooManyRequests: 1, StreamReset: 1 }
      })
      assert.deepInclude(JSON.parse((yield* bulk(...args, "--once")).out), { settled: 0, resumed: 4 })
      busy.clear()
      broken.clear()
      const before = yield* mock.received
      yield* mock.clear
      const second = yield* bulk(...args)
      assert.deepInclude(JSON.parse(second.out), {
        complete: true,
        accepted: 3,
        rejected: 1,
        failed: 0,
        again: 0,
        settled: 2,
        resumed: 4,
        reasons: { Unregistered: 1 }
      })
      const again = yield* mock.received
      assert.sameMembers(again.map(({ token }) => token), [token(2), token(3)])
      for (const { apnsId, collapseId, token } of again) {
        assert.strictEqual(collapseId, apnsId)
        for (const earlier of before.filter((each) => each.token === token)) {
          assert.strictEqual(earlier.apnsId, apnsId)
          assert.strictEqual(earlier.collapseId, collapseId)
        }
      }
      assert.strictEqual((yield* readOutput(out)).lines.length, 6)
      yield* mock.clear
      assert.deepInclude(JSON.parse((yield* bulk(...args)).out), { accepted: 3, rejected: 1, settled: 0, resumed: 4 })
      assert.strictEqual(yield* mock.receivedCount, 0)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive(
    "APNs cannot be reached -> waits: no token fails, and all are sent when it is back",
    () =>
      Effect.gen(function*() {
        const { environment, mock, out, tokens } = yield* rig({ delay: "5 millis" })
        const count = 5000
        yield* writeTokens(tokens, Array.from({ length: count }, (_, i) => token(i + 1)))
        const printed = { out: "", err: "" }
        const running = yield* Effect.fork(
          apns(
            // the time for an answer is shorter than the outage
            ["bulk", tokens, "--out", out, "--title", "Hello", "--concurrency", "300", "--timeout", "2 seconds"],
            environment,
            printed
          )
        )
        yield* mock.until(({ received }) => received >= count / 3)
        yield* mock.failTls("reset")
        yield* mock.dropConnections({ reset: true })
        yield* says(printed, "waiting for a connection since")
        const before = yield* mock.receivedCount
        // an outage that outlasts some attempts, each of which waits longer than the one before
        const { attempts } = yield* mock.stats
        yield* mock.until((now) => now.attempts >= attempts + 3)
        assert.strictEqual(yield* mock.receivedCount, before)
        yield* mock.failTls(undefined)
        const { code, out: said } = yield* Fiber.join(running)
        assert.strictEqual(code, ExitCode.accepted, said)
        assert.match(
          printed.err,
          /waiting for a connection since \d+ s: (connection closed by the other side|the connection was lost)/
        )
        assert.include(printed.err, "connected again")
        const { lines } = yield* readOutput(out)
        assert.strictEqual(lines.length, count)
        assert.strictEqual(new Set(lines.map(({ token }) => token)).size, count)
        const ids = new Map<string | undefined, string | undefined>()
        for (const { collapseId, token } of yield* mock.received) {
          if (ids.has(token)) assert.strictEqual(ids.get(token), collapseId)
          ids.set(token, collapseId)
        }
        assert.strictEqual(ids.size, count)
      }).pipe(Effect.provide(NodeContext.layer)),
    60_000
  )

  it.scopedLive(
    "APNs cannot be reached from the beginning -> waits, and Ctrl-C ends it at once",
    () =>
      Effect.gen(function*() {
        const { environment, mock, out, tokens } = yield* rig()
        yield* writeTokens(tokens, [1, 2, 3].map(token))
        yield* mock.refuseConnections(true)
        const printed = { out: "", err: "" }
        const args = ["bulk", tokens, "--out", out, "--title", "Hello"]
        const running = yield* Effect.fork(apns(args, environment, printed))
        yield* says(printed, "waiting for a connection")
        yield* Fiber.interrupt(running)
        assert.include(printed.err, "there is no connection to wait for")
        assert.include(printed.out, "Run the same command again to go on.")
        assert.strictEqual((yield* readOutput(out)).lines.length, 0)
        yield* mock.refuseConnections(false)
        assert.strictEqual((yield* apns(args, environment)).code, ExitCode.accepted)
        assert.strictEqual(yield* mock.receivedCount, 3)
      }).pipe(Effect.provide(NodeContext.layer)),
    60_000
  )

  it.scopedLive("a problem that a person must repair -> ends without waiting", () =>
    Effect.gen(function*() {
      const { bulk, mock, tokens } = yield* rig()
      yield* writeTokens(tokens, [1, 2, 3].map(token))
      yield* mock.failTls("untrusted")
      const { code, out: said } = yield* bulk("--timeout", "300 millis")
      assert.strictEqual(code, ExitCode.notPossible)
      assert.include(JSON.parse(said).message, "certificate")
    }).pipe(Effect.provide(NodeContext.layer)), 60_000)

  it.scopedLive(
    "a damaged line is named; --repair sends its token again under the same ids, and keeps the rest",
    () =>
      Effect.gen(function*() {
        const { bulk, fs, mock, out, tokens } = yield* rig()
        yield* writeTokens(tokens, [1, 2, 3, 4, 5].map(token))
        yield* bulk("--concurrency", "1")
        const ids = new Map((yield* mock.received).map(({ apnsId, token }) => [token, apnsId]))
        const texts = (yield* fs.readFileString(out)).split("\n")
        const damage = ["", "{\"line\":3,\"tok", "\0\0\0\0", `${texts[3]}${texts[3]}`, "[]", "\u001b[2J"]
        for (const bad of damage) {
          yield* fs.writeFileString(out, texts.map((text, i) => i === 3 ? bad : text).join("\n"))
          yield* mock.clear
          const refused = yield* bulk()
          assert.strictEqual(refused.code, ExitCode.notPossible)
          assert.include(JSON.parse(refused.out).message, `${out}: line 4 cannot be read. --repair goes on without`)
          assert.strictEqual(yield* mock.receivedCount, 0)
          const repaired = yield* bulk("--repair")
          assert.deepInclude(JSON.parse(repaired.out), { complete: true, accepted: 5, settled: 1, resumed: 4 })
          const [sent, ...others] = yield* mock.received
          assert.deepStrictEqual(others, [])
          assert.strictEqual(sent?.token, token(3))
          assert.strictEqual(sent?.apnsId, ids.get(token(3)))
          assert.sameMembers((yield* readOutput(out)).lines.map(({ line }) => line), [1, 2, 3, 4, 5])
          assert.include(yield* fs.readFileString(`${out}.damaged`), bad)
          assert.strictEqual((yield* bulk()).code, ExitCode.accepted)
        }
      }).pipe(Effect.provide(NodeContext.layer)),
    60_000
  )

  it.scopedLive("only the owner can read the output, also if the file existed before", () =>
    Effect.gen(function*() {
      const { bulk, fs, out, tokens } = yield* rig()
      const mode = Effect.map(fs.stat(out), ({ mode }) => mode & 0o777)
      yield* writeTokens(tokens, [token(1)])
      yield* bulk()
      assert.strictEqual(yield* mode, 0o600)
      yield* fs.chmod(out, 0o644)
      yield* bulk()
      assert.strictEqual(yield* mode, 0o600)
      yield* fs.writeFileString(out, "")
      yield* fs.chmod(out, 0o666)
      yield* bulk()
      assert.strictEqual(yield* mode, 0o600)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("an invalid token -> an outcome of that token, and the others are sent", () =>
    Effect.gen(function*() {
      const { bulk, mock, out, tokens } = yield* rig()
      yield* mock.unregister(token(2))
      yield* writeTokens(tokens, [token(1), token(2), "not-a-token", token(4)])
      const { code, out: said } = yield* bulk()
      assert.strictEqual(code, ExitCode.notAccepted)
      assert.deepInclude(JSON.parse(said), {
        complete: true,
        accepted: 2,
        rejected: 2,
        failed: 0,
        again: 0,
        reasons: { Unregistered: 1, BadDeviceToken: 1 }
      })
      const { lines } = yield* readOutput(out)
      assert.strictEqual(lines.find(({ line }) => line === 3)?.outcome, "rejected")
      assert.strictEqual((yield* bulk()).code, ExitCode.notAccepted)
      assert.strictEqual(yield* mock.receivedCount, 3)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("gives each alert a collapse id of its own, unless one is given", () =>
    Effect.gen(function*() {
      const { bulk, dir, environment, mock, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1), token(2)])
      yield* bulk()
      for (const { apnsId, collapseId } of yield* mock.received) assert.strictEqual(collapseId, apnsId)
      yield* mock.clear
      yield* apns(
        ["bulk", tokens, "--out", `${dir}/2`, "--title", "Hello", "--collapse-id", "news", "--quiet"],
        environment
      )
      yield* apns(["bulk", tokens, "--out", `${dir}/3`, "--push-type", "background", "--quiet"], environment)
      assert.sameMembers(
        (yield* mock.received).map(({ collapseId }) => collapseId),
        ["news", "news", undefined, undefined]
      )
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a line left incomplete by a crash -> removed, and its token is sent again with the same apns-id", () =>
    Effect.gen(function*() {
      const { bulk, fs, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1), token(2), token(3)])
      yield* bulk("--concurrency", "1")
      const whole = yield* fs.readFileString(out)
      yield* fs.writeFileString(out, whole.slice(0, -20))
      const { code, out: said } = yield* bulk()
      assert.strictEqual(code, ExitCode.accepted)
      assert.deepInclude(JSON.parse(said), { accepted: 3, settled: 1, resumed: 2 })
      assert.strictEqual(
        (yield* readOutput(out)).lines.map(({ apnsId, line }) => `${line} ${apnsId}`).join(),
        whole.split("\n").slice(1, -1).map((text) => JSON.parse(text)).map(({ apnsId, line }) => `${line} ${apnsId}`)
          .join()
      )
      const [, , third, again] = yield* mock.received
      assert.strictEqual(again?.token, token(3))
      assert.strictEqual(again?.apnsId, third?.apnsId)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a crash before the first line was complete -> can be resumed", () =>
    Effect.gen(function*() {
      const { bulk, fs, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1)])
      yield* fs.writeFileString(out, "{\"apns\":\"bulk\",\"ver")
      assert.strictEqual((yield* bulk()).code, ExitCode.accepted)
      assert.strictEqual((yield* readOutput(out)).lines.length, 1)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("lines were added to the input -> continues with them", () =>
    Effect.gen(function*() {
      const { bulk, mock, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1)])
      yield* bulk()
      yield* writeTokens(tokens, [token(1), token(2)])
      assert.deepInclude(JSON.parse((yield* bulk()).out), { complete: true, accepted: 2, settled: 1, resumed: 1 })
      assert.strictEqual(yield* mock.receivedCount, 2)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("refuses an input that has changed, another notification, and a file that is not its own", () =>
    Effect.gen(function*() {
      const { bulk, environment, fs, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1), token(2)])
      yield* bulk()
      const whole = yield* fs.readFileString(out)
      const refused = (args: ReadonlyArray<string>, hint: string) =>
        Effect.gen(function*() {
          const { code, out } = yield* apns([...args, "--json"], environment)
          assert.strictEqual(code, ExitCode.notPossible)
          assert.include(JSON.parse(out).message, hint)
        })
      yield* writeTokens(tokens, [token(9), token(1), token(2)])
      yield* refused(["bulk", tokens, "--out", out, "--title", "Hello"], "Line 1 of the input holds another token")
      yield* refused(["bulk", tokens, "--out", out, "--title", "Goodbye"], "another notification")
      yield* refused(["bulk", tokens, "--out", tokens, "--title", "Hello"], "was not written by apns bulk (line 1)")
      yield* refused(["bulk", tokens, "--out", "/nowhere/out", "--title", "Hello"], "/nowhere/out cannot be written")
      yield* refused(["bulk", "/nowhere/tokens", "--out", out, "--title", "Hello"], "/nowhere/tokens cannot be read")
      yield* refused(["bulk", tokens, "--out", out, "--title", "Hello", "--concurrency", "0"], "--concurrency")
      yield* refused(["bulk", tokens, "--out", out, "--title", "Hello", "--size", "0"], "at least 1")
      assert.strictEqual(yield* fs.readFileString(out), whole)
      assert.strictEqual(yield* mock.receivedCount, 2)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("another process writes the output -> refused; that process is gone -> continued", () =>
    Effect.gen(function*() {
      const { bulk, fs, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1)])
      yield* fs.writeFileString(`${out}.lock`, String(process.ppid))
      const refused = yield* bulk()
      assert.strictEqual(refused.code, ExitCode.notPossible)
      assert.include(JSON.parse(refused.out).message, `is being written by process ${process.ppid}`)
      assert.strictEqual(yield* mock.receivedCount, 0)
      assert.isTrue(yield* fs.exists(`${out}.lock`))

      const gone = spawnSync(process.execPath, ["--version"]).pid
      yield* fs.writeFileString(`${out}.lock`, String(gone))
      assert.strictEqual((yield* bulk()).code, ExitCode.accepted)
      assert.isFalse(yield* fs.exists(`${out}.lock`))
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("APNs refuses the credentials -> stops; resumed with good ones -> sends the rest", () =>
    Effect.gen(function*() {
      const { bulk, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [1, 2, 3, 4, 5].map(token))
      const good = new Set<string | undefined>([token(1), token(2)])
      yield* mock.script(({ token }) => good.has(token) ? undefined : MockApns.reject("InvalidProviderToken"))
      const stopped = yield* bulk("--concurrency", "1")
      assert.strictEqual(stopped.code, ExitCode.notPossible)
      assert.include(JSON.parse(stopped.out).message, "InvalidProviderToken")
      assert.deepInclude(JSON.parse(stopped.out), { complete: false, accepted: 2, rejected: 0, failed: 0 })
      yield* mock.script(undefined)
      const resumed = yield* bulk()
      assert.strictEqual(resumed.code, ExitCode.accepted)
      assert.deepInclude(JSON.parse(resumed.out), { complete: true, accepted: 5, resumed: 2 })
      assert.strictEqual((yield* readOutput(out)).lines.length, 5)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("--once, APNs cannot be reached -> stops, and nothing counts as sent", () =>
    Effect.gen(function*() {
      const { bulk, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [1, 2, 3].map(token))
      yield* mock.refuseConnections(true)
      const { code, out: said } = yield* bulk("--once", "--timeout", "50 millis")
      assert.strictEqual(code, ExitCode.notPossible)
      assert.deepInclude(JSON.parse(said), { complete: false, accepted: 0, failed: 0, settled: 0 })
      assert.include(JSON.parse(said).message, "check host and port")
      assert.strictEqual((yield* readOutput(out)).lines.length, 0)
      yield* mock.refuseConnections(false)
      assert.strictEqual((yield* bulk()).code, ExitCode.accepted)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("--once, unknown fate -> recorded, and not sent again", () =>
    Effect.gen(function*() {
      const { bulk, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1)])
      yield* mock.next(MockApns.resetStream(ErrorCode.ErrorCode.INTERNAL_ERROR))
      assert.strictEqual((yield* bulk("--once", "--retransmit", "never")).code, ExitCode.notAccepted)
      const { lines } = yield* readOutput(out)
      assert.strictEqual(lines.length, 1)
      assert.deepInclude({ ...lines[0] }, { outcome: "failed", error: "StreamReset", processed: "unknown" })
      assert.strictEqual((yield* bulk("--once")).code, ExitCode.notAccepted)
      assert.strictEqual((yield* mock.stats).requests, 1)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("interrupted once -> waits for requests in flight and starts no more", () =>
    Effect.gen(function*() {
      const { environment, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, Array.from({ length: 5000 }, (_, i) => token(i)))
      yield* mock.delay("10 millis")
      const printed = { out: "", err: "" }
      const running = yield* Effect.fork(
        apns(["bulk", tokens, "--out", out, "--title", "Hello", "--concurrency", "100"], environment, printed)
      )
      yield* mock.until(({ received }) => received >= 500)
      yield* Fiber.interrupt(running)
      assert.include(printed.out, "Run the same command again to go on.")
      assert.strictEqual((yield* mock.stats).inFlight, 0)
      const { lines } = yield* readOutput(out)
      assert.strictEqual(lines.length, yield* mock.receivedCount)
      assert.isBelow(lines.length, 5000)
    }).pipe(Effect.provide(NodeContext.layer)))

  const whole = (texts: ReadonlyArray<string>) => texts.join("\n")
  const leftovers: ReadonlyArray<readonly [string, (texts: ReadonlyArray<string>) => string | Uint8Array, number]> = [
    ["nothing", () => "", 0],
    ["the beginning of its first line", ([first = ""]) => first.slice(0, 5), 0],
    ["one character of its first line", () => "{", 0],
    ["its first line without the line end", ([first = ""]) => first, 0],
    ["zeros alone", () => new Uint8Array(4096), 0],
    ["three megabytes of zeros", () => new Uint8Array(3 * 1024 * 1024), 0],
    ["zeros behind the beginning of its first line", ([first = ""]) => `${first.slice(0, 20)}${"\0".repeat(500)}`, 0],
    ["a line that was torn", (texts) => whole([...texts.slice(0, 3), "{\"line\":3,\"tok"]), 2],
    ["zeros behind its lines", (texts) => `${whole(texts.slice(0, 3))}\n${"\0".repeat(5000)}`, 2],
    [
      "megabytes of zeros behind its lines",
      (texts) => `${whole(texts.slice(0, 3))}\n${"\0".repeat(3 * 1024 * 1024)}`,
      2
    ]
  ]
  for (const [name, left, resumed] of leftovers) {
    it.scopedLive(`an output with ${name} -> continued, with a message about what was dropped`, () =>
      Effect.gen(function*() {
        const { bulk, fs, mock, out, tokens } = yield* rig()
        yield* writeTokens(tokens, [1, 2, 3].map(token))
        yield* bulk("--concurrency", "1")
        const content = left((yield* fs.readFileString(out)).split("\n"))
        yield* fs.writeFile(out, typeof content === "string" ? Buffer.from(content) : content)
        yield* mock.clear
        const again = yield* bulk()
        assert.strictEqual(again.code, ExitCode.accepted, again.out)
        assert.deepInclude(JSON.parse(again.out), { complete: true, accepted: 3, resumed, settled: 3 - resumed })
        assert.strictEqual(yield* mock.receivedCount, 3 - resumed)
        assert.sameMembers((yield* readOutput(out)).lines.map(({ line }) => line), [1, 2, 3])
        if (content.length > 0) assert.match(again.err, /out\.ndjson: \d+ bytes at the end .* are dropped/)
        else assert.strictEqual(again.err, "")
      }).pipe(Effect.provide(NodeContext.layer)))
  }

  it.scopedLive("a first line that cannot be read -> refused; --repair takes the run from the ids of the other lines", () =>
    Effect.gen(function*() {
      const { bulk, fs, mock, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [1, 2, 3].map(token))
      yield* bulk("--concurrency", "1")
      const ids = new Map((yield* mock.received).map(({ apnsId, token }) => [token, apnsId]))
      const texts = (yield* fs.readFileString(out)).split("\n")
      for (const bad of ["\0".repeat(100), "{\"apns\":\"bu", "\u001b[2J"]) {
        yield* fs.writeFileString(out, [bad, texts[1], texts[3], ""].join("\n"))
        yield* mock.clear
        const refused = yield* bulk()
        assert.strictEqual(refused.code, ExitCode.notPossible)
        assert.include(JSON.parse(refused.out).message, `${out}: line 1 cannot be read. --repair goes on without`)
        const repaired = yield* bulk("--repair")
        assert.deepInclude(JSON.parse(repaired.out), { complete: true, accepted: 3, settled: 1, resumed: 2 })
        assert.deepStrictEqual((yield* mock.received).map(({ apnsId }) => apnsId), [ids.get(token(2))])
        assert.deepInclude(JSON.parse((yield* bulk()).out), { complete: true, settled: 0, resumed: 3 })
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a file of another program -> not changed", () =>
    Effect.gen(function*() {
      const { bulk, fs, out, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1)])
      for (const content of ["{\"a\":1}\n", "id,name\n1,x\n", "hello", "\0\0x\n", "[]", "# notes\n\0\0"]) {
        yield* fs.writeFileString(out, content)
        const refused = yield* bulk("--repair")
        assert.strictEqual(refused.code, ExitCode.notPossible)
        assert.include(JSON.parse(refused.out).message, "was not written by apns bulk")
        assert.strictEqual(yield* fs.readFileString(out), content)
      }
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("--dry-run checks every token and the notification, writes and sends nothing", () =>
    Effect.gen(function*() {
      const { dir, environment, fs, mock, tokens } = yield* rig()
      yield* writeTokens(tokens, [token(1), "not-a-token", token(2), token(1), "abc"])
      const dry = (...more: ReadonlyArray<string>) => apns(["bulk", tokens, "--dry-run", ...more], environment)
      const wrong = yield* dry("--title", "Hello")
      assert.strictEqual(wrong.code, ExitCode.notAccepted)
      assert.include(wrong.out, "Nothing was sent. 5 lines in ")
      assert.include(wrong.out, "2 of them no device token:\n  line 2: ")
      assert.include(wrong.out, "  line 5: ")
      assert.include(wrong.out, "1 with the token of an earlier line.")
      assert.notInclude(wrong.out, "not-a-token")
      assert.include(wrong.out, "apns-push-type: alert")
      const asJson = JSON.parse((yield* dry("--title", "Hello", "--json")).out)
      assert.deepInclude(asJson, { outcome: "dry-run", tokens: 5, invalid: 2, duplicates: 1 })
      assert.deepStrictEqual(asJson.lines.map(({ line }: { readonly line: number }) => line), [2, 5])

      yield* writeTokens(tokens, [token(1), token(2)])
      const right = yield* dry("--title", "Hello", "--out", `${dir}/never`)
      assert.strictEqual(right.code, ExitCode.accepted)
      assert.include(right.out, "2 lines in ")
      assert.include(right.out, "Nothing known is wrong with it.")
      // without credentials, too
      assert.strictEqual(
        (yield* apns(["bulk", tokens, "--dry-run", "--title", "Hello", "--topic", "com.example.app"])).code,
        ExitCode.accepted
      )

      yield* fs.writeFileString(`${dir}/payload.json`, "{\"aps\":{\"alert\":\"x\"},\"badge\":\"1\"}")
      assert.strictEqual((yield* dry("--payload", `${dir}/nowhere.json`)).code, ExitCode.notPossible)
      assert.strictEqual((yield* dry("--title", "x".repeat(5000))).code, ExitCode.notPossible)
      assert.isFalse(yield* fs.exists(`${dir}/never`))
      assert.strictEqual((yield* mock.stats).requests, 0)
    }).pipe(Effect.provide(NodeContext.layer)))
})
