/**
 * The crash storm: writers and runners are processes, and are killed; the database is restarted; the server refuses,
 * goes away and comes back.
 */
import { LibsqlFile, Outbox } from "@effect-apns/outbox"
import { MockApns } from "@effect-apns/testing"
import { SqlClient } from "@effect/sql"
import { Duration, Effect, Layer, Random, Stream } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Postgres from "../Postgres.js"
import type { Campaign, Disturbance, Seen, Verdict } from "./Check.js"
import { check } from "./Check.js"
import { left } from "./left.js"
import { tokenOf } from "./tokens.js"

export interface Options {
  readonly database: "libsql" | "postgres"
  readonly seconds: number
  readonly seed: number
  /** Runner processes; on a libSQL file there is one, which writes too. */
  readonly runners?: number | undefined
  /** What a runner may have in flight. Default 500. */
  readonly concurrency?: number | undefined
  /** Runners that write no checkpoints and keep to no window: what the check must find. */
  readonly broken?: boolean | undefined
  /** How long to wait at the end for what is left. Default 2 minutes, and as long again as the storm was. */
  readonly patienceSeconds?: number | undefined
  readonly onProgress?: ((line: string) => void) | undefined
}

export interface Report extends Verdict {
  readonly kills: number
  readonly databaseRestarts: number
  readonly tokensSigned: number
  readonly drained: boolean
}

const root = fileURLToPath(new URL("../../../../", import.meta.url))

interface Member {
  readonly role: "writer" | "runner" | "both"
  process: ChildProcess | undefined
  /** Writers get a new number each time: their campaigns have new ids. */
  generation: number
  written: boolean
  /** It does what it is there for: killed before that, it would show nothing. */
  ready: boolean
  drained: boolean
}

const member = (role: Member["role"], generation: number): Member => ({
  role,
  process: undefined,
  generation,
  written: role === "runner",
  ready: false,
  drained: false
})

const isLine = (
  value: unknown
): value is {
  readonly committed?: string
  readonly lost?: number
  readonly written?: true
  readonly ready?: true
  readonly drained?: true
} => typeof value === "object" && value !== null

export const run = (options: Options): Effect.Effect<Report> =>
  Effect.scoped(Effect.gen(function*() {
    const { concurrency = 500, runners = 2, seconds, seed } = options
    const say = options.onProgress ?? (() => {})
    const path = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "apns-storm-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const now = () => Date.now()
    const seen: Array<Seen> = []
    const disturbances: Array<Disturbance> = []
    const jwts = new Set<string>()
    const acknowledged = new Set<string>()
    let kills = 0
    let databaseRestarts = 0
    let refusing = false

    const apns = yield* Effect.orDie(MockApns.make({
      record: false,
      environment: "production",
      onRequest: (request) => {
        jwts.add(request.headers["authorization"] ?? "")
        if (refusing) return Math.random() < 0.5 ? MockApns.unavailable() : MockApns.tooManyRequests()
        return Math.random() < 0.02 ? MockApns.internalServerError : undefined
      },
      onReceived: ({ accepted, apnsId, collapseId, time, token }) => {
        if (token !== undefined) seen.push({ token, apnsId, collapseId, accepted, time })
      }
    }))
    const ca = join(path, "ca.pem")
    writeFileSync(ca, apns.ca)

    const postgres = options.database === "postgres" ? yield* Postgres.make : undefined
    if (postgres !== undefined) yield* postgres.createDatabase("storm")
    const url = postgres?.url("storm") ?? join(path, "storm.db")
    const layer = (): Layer.Layer<SqlClient.SqlClient> =>
      postgres === undefined ? Layer.orDie(LibsqlFile.layer({ file: url })) : Postgres.client(url, 2)
    yield* Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE storm_committed (id TEXT PRIMARY KEY, number BIGINT NOT NULL, tokens INTEGER NOT NULL)`
      yield* sql`CREATE TABLE storm_told (key TEXT PRIMARY KEY)`
    }).pipe(Effect.provide(layer()), Effect.orDie)

    const members: Array<Member> = postgres === undefined
      ? [member("both", 1)]
      : [
        member("writer", 1),
        member("writer", 1001),
        ...Array.from({ length: runners }, (_, i) => member("runner", 2001 + i * 1000))
      ]
    let started = now()
    let writesUntil = Infinity
    let ending = false
    const start = (member: Member): void => {
      const orders = {
        role: member.role,
        database: url,
        writer: member.generation++,
        seed,
        concurrency,
        writes: Math.max(0, Math.min(seconds * 1000, writesUntil - now())),
        broken: options.broken ?? false
      }
      const child = spawn(process.execPath, [
        "--conditions=@effect-apns/source",
        "--import",
        "tsx",
        fileURLToPath(new URL("./child.ts", import.meta.url)),
        JSON.stringify(orders)
      ], {
        cwd: root,
        stdio: ["ignore", "pipe", "inherit"],
        env: {
          PATH: process.env["PATH"] ?? "",
          APNS_ENDPOINT: apns.origin,
          APNS_CA_FILE: ca,
          APNS_KEY: apns.credentials.key,
          APNS_KEY_ID: apns.credentials.keyId,
          APNS_TEAM_ID: apns.credentials.teamId,
          APNS_TOPIC: "com.example.app",
          APNS_POOL_SIZE: "2",
          ...(process.env["STORM_LOG"] === undefined ? {} : { STORM_LOG: "1" })
        }
      })
      member.process = child
      let rest = ""
      child.stdout.on("data", (data: Buffer) => {
        const lines = (rest + data.toString()).split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) {
          const said: unknown = JSON.parse(line)
          if (!isLine(said)) continue
          if (said.committed !== undefined) acknowledged.add(said.committed)
          if (said.written !== undefined) member.written = true
          if (said.ready !== undefined) member.ready = true
          if (said.drained !== undefined) member.drained = true
          if (said.lost !== undefined) disturbances.push({ time: now(), kind: "lock lost", most: concurrency })
        }
      })
      child.once("exit", () => {
        if (member.process === child) member.process = undefined
        member.ready = false
        if (!ending && !(member.role === "writer" && member.written)) start(member)
      })
    }
    const kill = (member: Member): Effect.Effect<void> =>
      Effect.async((resume) => {
        const child = member.process
        if (child === undefined) return resume(Effect.void)
        kills++
        if (member.role !== "writer") disturbances.push({ time: now(), kind: "kill", most: concurrency })
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        ending = true
        for (const member of members) member.process?.kill("SIGKILL")
      })
    )
    for (const member of members) start(member)
    // the time counts from when all are at work, however slow the machine is
    while (!members.every(({ ready }) => ready)) yield* Effect.sleep("50 millis")
    started = now()
    writesUntil = started + seconds * 1000

    const everyRunner = (kind: string) =>
      disturbances.push({ time: now(), kind, most: concurrency * (postgres === undefined ? 1 : runners) })

    const weather = Effect.gen(function*() {
      while (now() < writesUntil) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1000, 3500)))
        const dice = yield* Random.next
        if (dice < 0.5) {
          const alive = members.filter(({ ready }) => ready)
          const member = alive[yield* Random.nextIntBetween(0, Math.max(1, alive.length))]
          if (member !== undefined) {
            say(`${((now() - started) / 1000).toFixed(1)} s: kill of a ${member.role}`)
            yield* kill(member)
          }
        } else if (dice < 0.65) {
          say(`${((now() - started) / 1000).toFixed(1)} s: the server drops its connections`)
          everyRunner("drop")
          yield* apns.dropConnections({ reset: true })
        } else if (dice < 0.8) {
          say(`${((now() - started) / 1000).toFixed(1)} s: the server goes away`)
          everyRunner("away")
          yield* Effect.orDie(apns.refuseConnections(true))
          yield* apns.dropConnections()
          yield* Effect.sleep("1500 millis")
          yield* Effect.orDie(apns.refuseConnections(false))
        } else if (dice < 0.9 || postgres === undefined) {
          say(`${((now() - started) / 1000).toFixed(1)} s: the server refuses`)
          refusing = true
          yield* Effect.sleep("1 second")
          refusing = false
        } else {
          say(`${((now() - started) / 1000).toFixed(1)} s: the database restarts`)
          databaseRestarts++
          everyRunner("database restart")
          yield* postgres.restart
        }
      }
    })
    yield* Effect.withRandom(weather, Random.make(seed))
    // a kill of a runner at least, when there is something to lose, however short the storm
    if (!disturbances.some(({ kind }) => kind === "kill")) {
      const enough = now() + 30_000
      while (seen.length < 400 && now() < enough) yield* Effect.sleep("20 millis")
      const runner = members.find(({ role }) => role !== "writer")
      if (runner !== undefined) yield* kill(runner)
    }

    say("the storm is over: what is left is sent")
    let drained = false
    const patience = now() + (options.patienceSeconds ?? 120 + seconds) * 1000
    while (!drained && now() < patience) {
      yield* Effect.sleep("1 second")
      drained = members.every(({ written }) => written) && (postgres === undefined
        ? members.every((member) => member.drained)
        : (yield* Effect.orDie(Effect.provide(left, layer()))) === 0)
    }
    ending = true
    for (const member of members) member.process?.kill("SIGKILL")
    yield* Effect.sleep("200 millis")

    const facts = yield* Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const outbox = yield* Outbox.Outbox
      const rows = yield* sql<
        { id: string; number: unknown; tokens: number }
      >`SELECT id, number, tokens FROM storm_committed`
      const committed: Array<Campaign> = rows.map(({ id, number, tokens }) => ({
        id,
        tokens: Array.from({ length: tokens }, (_, index) => tokenOf(Number(number), index))
      }))
      // `enqueueAll` has committed the campaign, and its writer died before it noted that
      const noted = new Set(rows.map(({ id }) => id))
      const all = yield* sql<{ id: string; total: unknown }>`
        SELECT id, total FROM apns_outbox_campaigns WHERE status <> 'filling'`
      for (const { id, total } of all) {
        if (noted.has(id) || Number(total) < 200) continue
        committed.push({
          id,
          tokens: Array.from({ length: Number(total) }, (_, index) =>
            tokenOf(Number(id.slice("campaign-".length)), index))
        })
      }
      const told = yield* sql<{ key: string }>`SELECT key FROM storm_told`
      const outcomes = yield* Stream.runCollect(Stream.map(outbox.outcomes(), ({ key, token }) => ({ key, token })))
      return {
        committed,
        told: new Set(told.map(({ key }) =>
          key
        )),
        outcomes: Array.from(outcomes)
      }
    }).pipe(Effect.provide(Outbox.layer()), Effect.provide(layer()), Effect.orDie)

    return {
      ...check({ ...facts, acknowledged, seen, disturbances }),
      kills,
      databaseRestarts,
      tokensSigned: jwts.size,
      drained
    }
  }))
