/**
 * A crash survived: a runner is killed in the middle of a campaign, by SIGKILL, and another one goes on.
 *
 * This program plays both parts: without an argument it runs a mock APNs and starts itself as a runner, which owns a
 * libSQL file.
 */
import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { MockApns } from "@effect-apns/testing"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { ApnsPool, Notification } from "effect-apns"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const devices = 20_000
const token = (n: number) => n.toString(16).padStart(64, "0")

/** The process that owns the file: writes the campaign, where it is not there yet, and sends it. */
const runner = (file: string) =>
  Effect.gen(function*() {
    const outbox = yield* Outbox.Outbox
    const { created } = yield* outbox.enqueueAll({
      id: "news-17",
      tokens: Stream.map(Stream.range(1, devices), token),
      notification: Notification.alert({ alert: "We are back" })
    })
    const before = yield* outbox.progress("news-17")
    yield* Console.log(
      created
        ? `  runner ${process.pid}: the campaign is written, ${before.total} devices`
        : `  runner ${process.pid}: the campaign is there, ${before.left} of ${before.total} are left`
    )
    yield* Effect.gen(function*() {
      const runner = yield* OutboxRunner.OutboxRunner
      while ((yield* outbox.progress("news-17")).left > 0) yield* Effect.sleep("50 millis")
      yield* runner.idle
    }).pipe(Effect.provide(OutboxRunner.layer({ pool: () => ApnsPool.ApnsPool, lock: "2 seconds", concurrency: 1000 })))
    const { accepted, state } = yield* outbox.progress("news-17")
    const outcomes = yield* Stream.runCount(outbox.outcomes({ campaign: "news-17" }))
    yield* Console.log(`  runner ${process.pid}: ${state}, ${accepted} accepted, ${outcomes} outcomes`)
  }).pipe(
    Effect.provide(Outbox.layer()),
    Effect.provide(LibsqlFile.layer({ file })),
    Effect.provide(ApnsPool.layerFromEnv().pipe(Layer.provideMerge(NodeContext.layer)))
  )

const demo = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "crash-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const seen = new Map<string, Array<string>>()
  const apns = yield* MockApns.make({
    record: false,
    onReceived: ({ apnsId, token }) => {
      if (token === undefined) return
      const ids = seen.get(token)
      if (ids === undefined) seen.set(token, [apnsId])
      else ids.push(apnsId)
    }
  })
  const ca = join(folder, "ca.pem")
  writeFileSync(ca, apns.ca)
  const start = Effect.sync(() =>
    spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), join(folder, "outbox.db")], {
      stdio: "inherit",
      env: {
        PATH: process.env["PATH"] ?? "",
        APNS_ENDPOINT: apns.origin,
        APNS_CA_FILE: ca,
        APNS_KEY: apns.credentials.key,
        APNS_KEY_ID: apns.credentials.keyId,
        APNS_TEAM_ID: apns.credentials.teamId,
        APNS_TOPIC: "com.example.app",
        APNS_POOL_SIZE: "2"
      }
    })
  )
  const ended = (child: ReturnType<typeof spawn>) =>
    Effect.async<void>((resume) => {
      if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
      child.once("exit", () => resume(Effect.void))
    })

  yield* Console.log(`A mock APNs listens on ${apns.origin}. A runner starts:`)
  const first = yield* start
  yield* apns.until(({ accepted }) => accepted >= devices * 0.3)
  first.kill("SIGKILL")
  yield* ended(first)
  yield* Console.log(`  runner ${first.pid}: killed by SIGKILL; the server has accepted ${seen.size} notifications`)

  yield* Console.log("Another one starts on the same file:")
  yield* ended(yield* start)
  const again = Array.from(seen.values()).filter((ids) => ids.length > 1)
  const changed = again.filter((ids) => new Set(ids).size > 1)
  yield* Console.log(
    `\n${seen.size} of ${devices} devices were reached. ${again.length} notifications were in flight at the kill and came twice, ` +
      `${changed.length} of them under another apns-id: each device shows one.`
  )
  if (seen.size !== devices || changed.length > 0) return yield* Effect.fail("the crash was not survived")
}).pipe(Effect.scoped)

const [, , file] = process.argv
NodeRuntime.runMain<unknown, void>(file === undefined ? demo : runner(file))
