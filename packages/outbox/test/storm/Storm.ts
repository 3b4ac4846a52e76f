/**
 * The crash storm: writers and runners are processes, and are killed or stand still; the database is restarted; the
 * server refuses, goes away and comes back.
 */
import { LibsqlFile, Outbox } from "@effect-apns/outbox"
import { MockApns } from "@effect-apns/testing"
import { SqlClient } from "@effect/sql"
import { Duration, Effect, Layer, Random, Stream } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Postgres from "../Postgres.js"
import type { Campaign, Disturbance, Seen, Verdict } from "./Check.js"
import { check } from "./Check.js"
import { left } from "./left.js"
import * as Program from "./program.js"
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
  readonly onProgress?: ((line: string) => void) | undefined
}

export interface Report extends Verdict {
  readonly kills: number
  readonly databaseRestarts: number
  readonly tokensSigned: number
  readonly drained: boolean
}

/**
 * A number from 0 to 1 that is the same for the same seed, notification and attempt, whatever happens between them and
 * in whatever order they come.
 */
const chance = (seed: number, ...parts: ReadonlyArray<string | number>): number =>
  createHash("sha256").update([seed, ...parts].join(" ")).digest().readUInt32BE(0) / 0x1_0000_0000

interface Member {
  readonly role: "writer" | "runner" | "both"
  process: ChildProcess | undefined
  /** The topic under which its process sends, by which the server knows it. */
  sender: string
  /** Writers get a new number each time: their campaigns have new ids. */
  generation: number
  written: boolean
  /** It does what it is there for: killed before that, it would show nothing. */
  ready: boolean
  /** How often in a row its process ended before it was ready. */
  failedStarts: number
  drained: boolean
}

const member = (role: Member["role"], generation: number): Member => ({
  role,
  process: undefined,
  sender: "",
  generation,
  written: role === "runner",
  ready: false,
  failedStarts: 0,
  drained: false
})

const topicOf = (process: number): string => `com.example.app.p${process}`

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
    /** How often a notification was tried. */
    const attempts = new Map<string, number>()

    const apns = yield* Effect.orDie(MockApns.make({
      record: false,
      environment: "production",
      onRequest: (request) => {
        jwts.add(request.headers["authorization"] ?? "")
        const { token = "" } = request
        const attempt = (attempts.get(token) ?? 0) + 1
        attempts.set(token, attempt)
        const dice = chance(seed, token, attempt)
        if (refusing) return dice < 0.5 ? MockApns.unavailable() : MockApns.tooManyRequests()
        return dice < 0.02 ? MockApns.internalServerError : undefined
      },
      onReceived: ({ accepted, apnsId, collapseId, connection, time, token, topic = "" }) => {
        if (token !== undefined) seen.push({ token, apnsId, collapseId, accepted, connection, time, sender: topic })
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
    let processes = 0
    const program = yield* Program.make
    const start = (member: Member): void => {
      const sender = topicOf(++processes)
      member.sender = sender
      const orders = {
        role: member.role,
        database: url,
        writer: member.generation++,
        seed,
        concurrency,
        writes: Math.max(0, Math.min(seconds * 1000, writesUntil - now())),
        latest: Math.min(8000, Math.max(1000, seconds * 500)),
        broken: options.broken ?? false
      }
      const child = spawn(process.execPath, ["--enable-source-maps", program, JSON.stringify(orders)], {
        stdio: ["ignore", "pipe", "inherit"],
        env: {
          PATH: process.env["PATH"] ?? "",
          APNS_ENDPOINT: apns.origin,
          APNS_CA_FILE: ca,
          APNS_KEY: apns.credentials.key,
          APNS_KEY_ID: apns.credentials.keyId,
          APNS_TEAM_ID: apns.credentials.teamId,
          APNS_TOPIC: sender,
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
          if (said.lost !== undefined) disturbances.push({ time: now(), kind: "lost", sender })
        }
      })
      child.once("exit", () => {
        if (member.process === child) member.process = undefined
        member.failedStarts = member.ready ? 0 : member.failedStarts + 1
        member.ready = false
        if (!ending && !(member.role === "writer" && member.written)) start(member)
      })
    }
    /** Ends its process, and waits until that is gone. */
    const end = (member: Member): Effect.Effect<void> =>
      Effect.async((resume) => {
        const child = member.process
        if (child === undefined) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
    const kill = (member: Member): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (member.process === undefined) return Effect.void
        kills++
        if (member.role !== "writer") {
          disturbances.push({ time: now(), kind: "kill", sender: member.sender })
        }
        return end(member)
      })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        ending = true
        for (const member of members) member.process?.kill("SIGKILL")
      })
    )
    for (const member of members) start(member)
    // the time counts from when all are at work, however slow the machine is
    while (!members.every(({ ready }) => ready)) {
      if (members.some(({ failedStarts }) => failedStarts > 20)) {
        return yield* Effect.dieMessage("a process of the storm cannot start: see what it says above")
      }
      yield* Effect.sleep("50 millis")
    }
    started = now()
    writesUntil = started + seconds * 1000

    /** The server cuts all its connections: what was on them and has no answer goes out again. */
    const cut = (how: { readonly reset: boolean }) =>
      Effect.gen(function*() {
        const open = (yield* apns.connections).filter(({ open }) => open)
        disturbances.push({ time: now(), kind: "cut", connections: new Set(open.map(({ id }) => id)) })
        yield* apns.dropConnections(how)
      })

    const runnersOf = members.filter(({ role }) => role !== "writer")
    const weather = Effect.gen(function*() {
      while (now() < writesUntil) {
        yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(1000, 3500)))
        const dice = yield* Random.next
        if (dice < 0.15 && postgres !== undefined) {
          const member = runnersOf[yield* Random.nextIntBetween(0, runnersOf.length)]
          const child = member?.process
          if (member?.ready === true && child !== undefined) {
            say(`${((now() - started) / 1000).toFixed(1)} s: a runner stands still for longer than its lock`)
            child.kill("SIGSTOP")
            yield* Effect.sleep("4 seconds")
            child.kill("SIGCONT")
          }
        } else if (dice < 0.5) {
          // whom it meets is the seed's decision: one that is not at work yet is spared
          const member = members[yield* Random.nextIntBetween(0, members.length)]
          if (member?.ready === true) {
            say(`${((now() - started) / 1000).toFixed(1)} s: kill of a ${member.role}`)
            yield* kill(member)
          }
        } else if (dice < 0.65) {
          say(`${((now() - started) / 1000).toFixed(1)} s: the server drops its connections`)
          yield* cut({ reset: true })
        } else if (dice < 0.8) {
          say(`${((now() - started) / 1000).toFixed(1)} s: the server goes away`)
          yield* Effect.orDie(apns.refuseConnections(true))
          yield* cut({ reset: false })
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
          yield* postgres.restart
        }
      }
    })
    yield* Effect.withRandom(weather, Random.make(seed))
    // a kill of a runner at least, when there is something to lose, however short the storm
    const somethingToLose = 400
    if (!disturbances.some(({ kind, time }) => kind === "kill" && time > (seen[somethingToLose]?.time ?? Infinity))) {
      const enough = now() + 30_000
      while (seen.length <= somethingToLose && now() < enough) yield* Effect.sleep("20 millis")
      const runner = members.find(({ role }) => role !== "writer")
      if (runner !== undefined) yield* kill(runner)
    }

    say("the storm is over: what is left is sent")
    let drained = false
    let quiet = { count: 0, since: Infinity }
    const patience = now() + (120 + seconds) * 1000
    while (!drained && now() < patience) {
      yield* Effect.sleep("500 millis")
      // those that are broken on purpose come to no end: it is enough that they send nothing more for longer than a lock
      const isUp = members.every(({ ready }) => ready)
      if (!isUp || seen.length !== quiet.count) quiet = { count: seen.length, since: isUp ? now() : Infinity }
      if (options.broken === true && now() - quiet.since > 4000) break
      drained = members.every(({ written }) => written) && (postgres === undefined
        ? members.every((member) => member.drained)
        : (yield* Effect.orDie(Effect.provide(left, layer()))) === 0)
    }
    ending = true
    yield* Effect.forEach(members, end, { concurrency: "unbounded", discard: true })

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
      // a cursor begins with the number of the row
      const times = new Map(
        (yield* sql<{ seq: unknown; created_at: unknown }>`SELECT seq, created_at FROM apns_outbox_outcomes`).map((
          row
        ) =>
          [String(row.seq), Number(row.created_at)] as const
        )
      )
      const outcomes = yield* Stream.runCollect(
        Stream.map(outbox.outcomes(), ({ cursor, key, token }) => ({
          key,
          token,
          time: times.get(cursor.slice(0, cursor.indexOf("."))) ?? Infinity
        }))
      )
      return {
        committed,
        told: new Set(told.map(({ key }) => key)),
        outcomes: Array.from(outcomes)
      }
    }).pipe(Effect.provide(Outbox.layer()), Effect.provide(layer()), Effect.orDie)

    return {
      ...check({ ...facts, acknowledged, seen, disturbances, window: concurrency }),
      kills,
      databaseRestarts,
      tokensSigned: jwts.size,
      drained
    }
  }))
