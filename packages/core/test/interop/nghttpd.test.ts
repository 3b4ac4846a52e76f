import { Connection, Credentials, Endpoint, Request } from "@effect-apns/core"
import { ApnsPool } from "@effect-apns/pool"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import type { Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fixtures from "../fixtures/index.js"

// A second opinion on our HTTP/2: nghttp2's own server is strict where others are lenient.
const installed = spawnSync("nghttpd", ["--version"]).status === 0
if (!installed) {
  process.stdout.write(
    "nghttpd (Debian package nghttp2-server) is not installed: its interoperability tests are skipped\n"
  )
}

const freePort = Effect.async<number>((resume) => {
  const server = net.createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

const listens = (port: number): Effect.Effect<void> =>
  Effect.async<void, Error>((resume) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy()
      resume(Effect.void)
    })
    socket.once("error", (error) => resume(Effect.fail(error)))
  }).pipe(
    Effect.tapError(() => Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))),
    Effect.retry({ while: () => true }),
    Effect.orDie
  )

const token = "4242424242424242"

interface Server {
  readonly endpoint: Endpoint.Endpoint
  /** Every frame that it sent and received, one line each and its fields below. */
  readonly log: () => string
}

/** Starts nghttpd, which answers a POST to the token's path when its body has arrived. */
const start = (...options: ReadonlyArray<string>): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const root = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "nghttpd-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )
    mkdirSync(join(root, "3/device"), { recursive: true })
    writeFileSync(join(root, "3/device", token), "{}")
    let log = ""
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn("nghttpd", [
          "--verbose",
          "--address=127.0.0.1",
          `--htdocs=${root}`,
          ...options,
          String(port),
          fixtures.path("server.key.pem"),
          fixtures.path("server.pem")
        ])
        child.stdout.on("data", (bytes: Buffer) => log += bytes.toString())
        return child
      }),
      (child) =>
        Effect.async<void>((resume) => {
          if (child.exitCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    yield* listens(port)
    const endpoint = yield* Either.match(Endpoint.make(`https://localhost:${port}`), {
      onLeft: Effect.die,
      onRight: Effect.succeed
    })
    return { endpoint, log: () => log }
  })

const options = (server: Server) =>
  Effect.map(
    Effect.orDie(Credentials.token({
      key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
      keyId: "ABC123DEFG",
      teamId: "DEF123GHIJ"
    })),
    (credentials) => ({ endpoint: server.endpoint, ca: fixtures.text("ca.pem"), credentials })
  )

const request = (size: number, n = 0) =>
  Request.make({
    path: `/3/device/${token}`,
    headers: {
      "apns-push-type": "alert",
      "apns-topic": `com.example.app${n}`,
      "apns-id": "123e4567-e89b-12d3-a456-42661417400a",
      "apns-collapse-id": `lunch-${n}`
    },
    body: new Uint8Array(size).fill(0x61),
    timeout: "20 seconds"
  })

/** Nothing that either side had to complain about. */
const peaceful = (server: Server) => {
  const lines = server.log().split("\n")
  assert.deepStrictEqual(lines.filter((line) => /RST_STREAM|INVALID|send GOAWAY/.test(line)), [])
}

describe.skipIf(!installed)("requests to nghttpd", () => {
  it.scopedLive("one after the other, with headers in the dynamic table -> answered, and closed without an error", () =>
    Effect.gen(function*() {
      const server = yield* start()
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* Connection.make(yield* options(server))
        for (let i = 0; i < 30; i++) {
          const response = yield* connection.post(request(i * 100, i % 3))
          assert.strictEqual(response.status, 200)
          assert.strictEqual(Buffer.from(response.body ?? []).toString(), "{}")
        }
        assert.strictEqual(connection.unsafe.state, "active")
      }))
      peaceful(server)
      const log = server.log()
      assert.strictEqual(log.match(/recv HEADERS frame/g)?.length, 30)
      assert.include(log, "apns-topic: com.example.app2")
      assert.include(log, "authorization: bearer ")
    }))

  for (
    const [what, ...settings] of [
      ["default windows of 64 KiB"],
      ["no dynamic table (HEADER_TABLE_SIZE 0)", "--header-table-size=0"],
      ["a dynamic table that holds two fields", "--header-table-size=128"],
      ["windows of 1023 bytes", "--window-bits=10"],
      ["100 streams", "--max-concurrent-streams=100"]
    ] as const
  ) {
    it.scopedLive(`1,000 at once: ${what}`, () =>
      Effect.gen(function*() {
        const server = yield* start("--max-concurrent-streams=1000", ...settings)
        const pool = yield* ApnsPool.make({ ...yield* options(server), size: 1 })
        const responses = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, i) => request(1500, i % 5)),
          pool.post,
          { concurrency: "unbounded" }
        )
        assert.isTrue(responses.every(({ attempts, status }) => status === 200 && attempts === 1))
        assert.deepInclude(yield* pool.stats, { completed: 1000, failed: 0, connectionsOpened: 1, connectionsLost: 0 })
        peaceful(server)
      }))
  }
})
