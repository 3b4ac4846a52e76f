import { Cli, ExitCode } from "@effect-apns/cli"
import { MockApns } from "@effect-apns/testing"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Console, Effect, Logger, LogLevel } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Postgres from "./Postgres.js"
import * as T from "./utils.js"

/** Runs `apns` in this process, and gives what it has printed. */
const apns = (environment: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const printed = { out: "", err: "" }
    const base = yield* Effect.console
    const code = yield* Cli.run(args).pipe(
      Console.withConsole({
        ...base,
        log: (...parts) => Effect.sync(() => void (printed.out += parts.map(String).join(" ") + "\n")),
        error: (...parts) => Effect.sync(() => void (printed.err += parts.map(String).join(" ") + "\n"))
      }),
      Logger.withMinimumLogLevel(LogLevel.None),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
    )
    return { code, ...printed }
  })

const isHere = Postgres.binaries !== undefined

// `packages/cli` tests the same on a libSQL file
describe.skipIf(!isHere)(
  `apns outbox --database postgres://...${isHere ? "" : ": PostgreSQL is not installed here: skipped"}`,
  () => {
    it.scopedLive(
      "enqueues, sends from two runs at once, shows the progress, cancels, and sends dead letters again",
      () =>
        Effect.gen(function*() {
          const server = yield* Postgres.make
          yield* server.createDatabase("shop")
          const url = `${server.url("shop").replace("postgres@", "postgres:secret@1@")}?password=secret2`
          const mock = yield* MockApns.make()
          const folder = yield* T.folder
          const ca = join(folder, "ca.pem")
          writeFileSync(ca, mock.ca)
          const environment = {
            APNS_ENDPOINT: mock.origin,
            APNS_CA_FILE: ca,
            APNS_KEY: mock.credentials.key,
            APNS_KEY_ID: mock.credentials.keyId,
            APNS_TEAM_ID: mock.credentials.teamId,
            APNS_TOPIC: "com.example.app"
          }
          const tokens = join(folder, "tokens")
          writeFileSync(tokens, T.tokens(12_000).join("\n") + "\nnope\n")
          const outbox = (...args: ReadonlyArray<string>) => apns(environment, "outbox", ...args, "--database", url)

          const first = yield* outbox("enqueue", tokens, "--id", "news", "--title", "News", "--json")
          assert.deepStrictEqual(JSON.parse(first.out), { id: "news", created: true, total: 12_001 }, first.err)
          const again = yield* outbox("enqueue", tokens, "--id", "news", "--title", "News")
          assert.include(again.out, "is in the outbox already, with 12,001 devices")
          yield* outbox("enqueue", tokens, "--id", "later", "--title", "Later", "--at", "2 hours")

          const runs = yield* Effect.all([outbox("run", "--until-idle"), outbox("run", "--until-idle")], {
            concurrency: "unbounded"
          })
          for (const { out } of runs) {
            assert.include(out, "Sending what is in postgres://postgres:...@127.0.0.1")
            assert.notInclude(out, "secret")
          }
          assert.isTrue(runs.some(({ code }) => code === ExitCode.notAccepted), "a token is no token")
          assert.strictEqual(yield* mock.acceptedCount, 12_000)
          const done = yield* outbox("status", "news", "--json")
          assert.deepInclude(JSON.parse(done.out), {
            state: "done",
            total: 12_001,
            accepted: 12_000,
            rejected: 1,
            left: 0
          })
          assert.include((yield* outbox("status", "later")).out, "later: scheduled")

          const cancelled = yield* outbox("cancel", "later", "--json")
          assert.deepInclude(JSON.parse(cancelled.out), { state: "cancelled", cancelled: 12_001 })
          assert.include((yield* outbox("retry", "news")).out, "0 dead letters are sent again")
          const missing = yield* outbox("status", "nothing")
          assert.strictEqual(missing.code, ExitCode.notPossible)
          assert.include(missing.err, `There is no campaign "nothing"`)

          yield* server.stop
          const away = yield* outbox("status", "news")
          assert.strictEqual(away.code, ExitCode.notPossible)
          assert.include(away.err, "The database cannot be reached")
          assert.notInclude(away.err, "secret")
        }).pipe(Effect.provide(NodeContext.layer)),
      120_000
    )
  }
)
