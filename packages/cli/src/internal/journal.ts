import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createHash, randomUUID } from "node:crypto"
import type { NotPossible } from "./errors.js"
import { notPossible } from "./errors.js"
import { Fingerprints } from "./fingerprints.js"
import { LineSplitter } from "./lines.js"
import type { Outcome } from "./outcome.js"
import { reasonOf } from "./outcome.js"

/**
 * The first line of the output: which run it is, and a hash of what is sent. The run names every notification: the
 * apns-id is made from it and the number of the line, so it is the same when a token has to be sent again.
 */
const Header = Schema.Struct({
  apns: Schema.Literal("bulk"),
  version: Schema.Literal(1),
  run: Schema.UUID,
  request: Schema.String
})

/** An outcome as far as resuming needs it. */
const Line = Schema.Struct({
  line: Schema.Int.pipe(Schema.positive()),
  token: Schema.String,
  outcome: Schema.Literal("accepted", "rejected", "failed"),
  reason: Schema.optional(Schema.String),
  error: Schema.optional(Schema.String)
})

const decodeHeader = Schema.decodeUnknownOption(Schema.parseJson(Header))
const isLine = Schema.is(Line)

const parseLine = (text: string): typeof Line.Type | undefined => {
  try {
    const parsed: unknown = JSON.parse(text)
    return isLine(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** How many notifications ended how. */
export class Counts {
  accepted = 0
  rejected = 0
  failed = 0
  readonly reasons = new Map<string, number>()

  add(outcome: "accepted" | "rejected" | "failed", reason: string): void {
    this[outcome]++
    if (outcome !== "accepted") this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1)
  }

  get total(): number {
    return this.accepted + this.rejected + this.failed
  }
}

/** The output of a bulk: what it already holds, and how to add to it. */
export interface Journal {
  readonly run: string
  readonly done: Fingerprints
  /** All outcomes in the file. */
  readonly counts: Counts
  /** Outcomes that the file held when it was opened. */
  readonly resumed: number
  /** Adds outcomes; they are with the operating system when this returns, so they survive the end of this process. */
  readonly append: (
    outcomes: ReadonlyArray<{ readonly line: number; readonly token: string; readonly outcome: Outcome }>
  ) => Effect.Effect<void, NotPossible>
  /** Brings what was added to the disk, so that it survives the end of the machine. */
  readonly sync: Effect.Effect<void, NotPossible>
}

const encoder = new TextEncoder()

interface Found {
  readonly run: Option.Option<string>
  readonly done: Fingerprints
  readonly counts: Counts
  /** Bytes of complete lines: what stands behind was torn by the end of the process that wrote it. */
  readonly complete: number
}

const read = (file: string, request: string): Effect.Effect<Found, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const done = new Fingerprints()
    const counts = new Counts()
    const splitter = new LineSplitter()
    let run = Option.none<string>()
    let number = 0
    const foreign = (number: number): NotPossible =>
      notPossible(`${file} was not written by apns bulk (line ${number}): give another --out`)
    const take = (text: string): NotPossible | undefined => {
      number++
      if (number === 1) {
        const header = decodeHeader(text)
        if (Option.isNone(header)) return foreign(1)
        if (header.value.request !== request) {
          return notPossible(
            `${file} holds the outcomes of another notification: repeat the command as it was to go on, or give another --out`
          )
        }
        run = Option.some(header.value.run)
        return undefined
      }
      const line = parseLine(text)
      if (line === undefined) return foreign(number)
      done.add(line.line, line.token)
      counts.add(line.outcome, line.reason ?? line.error ?? "")
      return undefined
    }
    yield* fs.stream(file).pipe(
      Stream.mapError(({ message }) => notPossible(`The output ${file} cannot be read: ${message}`)),
      Stream.runForEach((bytes) => {
        const lines = splitter.push(bytes)
        if (lines === undefined) return foreign(number + 1)
        for (const text of lines) {
          const problem = take(text)
          if (problem !== undefined) return problem
        }
        return Effect.void
      })
    )
    if (number === 0 && splitter.torn !== "" && !splitter.torn.startsWith("{\"apns\":")) return yield* foreign(1)
    return { run, done, counts, complete: splitter.complete }
  })

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there, and another user's
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/**
 * Keeps a second process from sending the same tokens at the same time. What a killed process has left behind is taken
 * over.
 */
const lock = (file: string): Effect.Effect<void, NotPossible, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const name = `${file}.lock`
    const take = fs.writeFileString(name, String(process.pid), { flag: "wx" })
    const taken = Effect.gen(function*() {
      const pid = Number(yield* fs.readFileString(name))
      if (Number.isSafeInteger(pid) && pid > 0 && pid !== process.pid && isAlive(pid)) {
        return yield* notPossible(
          `${file} is being written by process ${pid}: wait for it, or remove ${name} if that is no apns bulk`
        )
      }
      yield* fs.remove(name, { force: true })
      yield* take
    })
    yield* Effect.acquireRelease(
      Effect.catchIf(take, (error) => error._tag === "SystemError" && error.reason === "AlreadyExists", () => taken),
      () => Effect.ignore(fs.remove(name, { force: true }))
    ).pipe(
      Effect.mapError((error) =>
        error._tag === "NotPossible" ? error : notPossible(`The output ${file} cannot be written: ${error.message}`)
      )
    )
  })

/**
 * Opens the output. A file that is there is continued, if it belongs to the same request; a torn last line is cut off.
 */
export const open = (
  file: string,
  request: string
): Effect.Effect<Journal, NotPossible, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const failed = ({ message }: { readonly message: string }): NotPossible =>
      notPossible(`The output ${file} cannot be written: ${message}`)
    yield* lock(file)
    const exists = yield* Effect.mapError(fs.exists(file), failed)
    const found: Found = exists
      ? yield* read(file, request)
      : { run: Option.none(), done: new Fingerprints(), counts: new Counts(), complete: 0 }
    if (exists) yield* Effect.mapError(fs.truncate(file, found.complete), failed)
    const output = yield* Effect.mapError(fs.open(file, { flag: "a" }), failed)
    const run = Option.getOrElse(found.run, () => randomUUID())
    const write = (text: string) => Effect.mapError(output.writeAll(encoder.encode(text)), failed)
    if (Option.isNone(found.run)) {
      yield* write(JSON.stringify({ apns: "bulk", version: 1, run, request }) + "\n")
    }
    const { counts, done } = found
    return {
      run,
      done,
      counts,
      resumed: counts.total,
      append: (outcomes) =>
        Effect.suspend(() => {
          // a write of nothing is an error
          if (outcomes.length === 0) return Effect.void
          let text = ""
          for (const { line, outcome, token } of outcomes) {
            text += JSON.stringify({ line, token, ...outcome }) + "\n"
          }
          return Effect.map(write(text), () => {
            for (const { outcome } of outcomes) counts.add(outcome.outcome, reasonOf(outcome))
          })
        }),
      sync: Effect.mapError(output.sync, failed)
    }
  })

/** A hash of what is sent, so that an output is not continued with something else. */
export const requestOf = (parts: ReadonlyArray<string | Uint8Array | undefined>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part === undefined ? "-" : `+${part.length}:`).update(part ?? "")
  return hash.digest("hex")
}

/** The UUID (version 5, RFC 9562 section 5.5) of a line within a run: the same whenever it is asked for. */
export const apnsIdOf = (run: string): (line: number) => string => {
  const namespace = Buffer.from(run.replaceAll("-", ""), "hex")
  return (line) => {
    const bytes = createHash("sha1").update(namespace).update(String(line)).digest()
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    const hex = bytes.toString("hex", 0, 16)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }
}
