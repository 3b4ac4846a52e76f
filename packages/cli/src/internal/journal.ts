import type { Receipt } from "@effect-apns/pool"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createHash, randomUUID } from "node:crypto"
import { writeSync } from "node:fs"
import type { NotPossible } from "./errors.js"
import { notPossible } from "./errors.js"
import { fileReason } from "./files.js"
import { jsonLine } from "./json.js"
import { LineSplitter, maxLineBytes } from "./lines.js"
import * as Lock from "./lock.js"
import type { Outcome } from "./outcome.js"
import { isFinal, reasonOf } from "./outcome.js"
import { fingerprint } from "./tokens.js"

/**
 * The first line of the output: which run it is, and a hash of what is sent. The run names every notification: the
 * apns-id is made from it and the number of the line, so it is the same when a token has to be sent again.
 */
const Header = Schema.Struct({
  apns: Schema.Literal("bulk"),
  version: Schema.Literal(2),
  run: Schema.UUID,
  request: Schema.String
})

/** An outcome as far as resuming needs it. */
const Line = Schema.Struct({
  line: Schema.Int.pipe(Schema.positive()),
  token: Schema.String,
  outcome: Schema.Literal("accepted", "rejected", "failed"),
  apnsId: Schema.optional(Schema.String),
  reason: Schema.optional(Schema.String),
  action: Schema.optional(Schema.String),
  error: Schema.optional(Schema.String)
})
type Line = typeof Line.Type

const decodeHeader = Schema.decodeUnknownOption(Schema.parseJson(Header))
const isLine = Schema.is(Line)

const parseLine = (text: string): Line | undefined => {
  try {
    const parsed: unknown = JSON.parse(text)
    return isLine(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** How many notifications ended how: the newest outcome of each counts. */
export class Counts {
  accepted = 0
  rejected = 0
  failed = 0
  /** Of these, those that the same command sends again. */
  again = 0
  readonly reasons = new Map<string, number>()

  add({ final, outcome, reason }: Kind, n: 1 | -1): void {
    this[outcome] += n
    if (!final) this.again += n
    if (outcome === "accepted") return
    const total = (this.reasons.get(reason) ?? 0) + n
    if (total === 0) this.reasons.delete(reason)
    else this.reasons.set(reason, total)
  }

  get total(): number {
    return this.accepted + this.rejected + this.failed
  }
}

/** A kind of outcome; there are few. */
interface Kind {
  readonly outcome: Line["outcome"]
  readonly reason: string
  /** Not sent again by the same command. */
  readonly final: boolean
}

const pageSize = 1024

/** What is known of so many lines of the input in a row. */
class Page {
  readonly prints = new Uint32Array(pageSize)
  readonly codes = new Uint16Array(pageSize)
}

/**
 * The outcomes in the output by lines of the input: six bytes a line, with a fingerprint of the token, so that an input
 * that was changed between two runs is noticed. Otherwise the wrong lines would be skipped.
 */
export class Known {
  readonly kinds: Array<Kind> = []
  private readonly byName = new Map<string, number>()
  /** By their numbers: a line of the output may name any line of the input, and most inputs fill their pages. */
  private readonly pages = new Map<number, Page>()

  /** The number of a kind, from 1. */
  codeOf(kind: Kind): number {
    const name = `${kind.outcome} ${kind.final} ${kind.reason}`
    const known = this.byName.get(name)
    if (known !== undefined) return known
    // there are never more reasons than this: any others share the last number
    const code = Math.min(this.kinds.length + 1, 65_535)
    this.kinds[code - 1] = kind
    this.byName.set(name, code)
    return code
  }

  set(line: number, token: string, kind: Kind): void {
    const number = Math.floor(line / pageSize)
    let page = this.pages.get(number)
    if (page === undefined) {
      page = new Page()
      this.pages.set(number, page)
    }
    page.prints[line % pageSize] = fingerprint(token)
    page.codes[line % pageSize] = this.codeOf(kind)
  }

  private page(line: number): Page | undefined {
    return this.pages.get(Math.floor(line / pageSize))
  }

  /** The newest outcome of a line. */
  get(line: number): Kind | undefined {
    const code = this.page(line)?.codes[line % pageSize]
    return code === undefined || code === 0 ? undefined : this.kinds[code - 1]
  }

  /** Whether the line had this token. */
  matches(line: number, token: string): boolean {
    return this.page(line)?.prints[line % pageSize] === fingerprint(token)
  }
}

/** Outcomes to be added, already as text: accepted ones, which are almost all, need no object of their own. */
export class Batch {
  text = ""
  size = 0
  readonly acceptedLines: Array<number> = []
  readonly others: Array<{ readonly line: number; readonly outcome: Outcome }> = []

  accepted(line: number, token: string, { apnsId, attempts, uniqueId }: Receipt.Receipt): void {
    this.size++
    this.acceptedLines.push(line)
    this.text += uniqueId === undefined && plain.test(apnsId)
      ? `{"line":${line},"token":"${token}","outcome":"accepted","apnsId":"${apnsId}","attempts":${attempts}}\n`
      : jsonLine({
        line,
        token,
        outcome: "accepted",
        apnsId,
        ...(uniqueId === undefined ? undefined : { uniqueId }),
        attempts
      }) + "\n"
  }

  add(line: number, token: string, outcome: Outcome): void {
    this.size++
    this.others.push({ line, outcome })
    this.text += jsonLine({ line, token, ...outcome }) + "\n"
  }
}

/** Text that needs no escapes in JSON. */
const plain = /^[\w.-]*$/

/** The output of a bulk: what is already in it, and how to add to it. */
export interface Journal {
  readonly run: string
  readonly known: Known
  /** The newest outcome of every line. */
  readonly counts: Counts
  /** Lines that had an outcome when the output was opened. */
  readonly resumed: number
  /** Adds outcomes; when this returns the operating system has them, so they survive the end of this process. */
  readonly append: (batch: Batch) => Effect.Effect<void, NotPossible>
  /** Flushes everything to the disk, so that it survives a crash of the machine. */
  readonly sync: Effect.Effect<void, NotPossible>
}

const encoder = new TextEncoder()

interface Found {
  /** `None` if nothing was written yet, or only an incomplete line. */
  readonly run: Option.Option<string>
  /** The first line cannot be read, and must be written again. */
  readonly isHeadless: boolean
  readonly known: Known
  readonly counts: Counts
  /** Bytes of complete lines: the rest is incomplete, since the process that wrote it ended. */
  readonly complete: number
  /** Bytes of the incomplete line. */
  readonly torn: number
  /** Lines that are not an outcome. */
  readonly damaged: ReadonlyArray<number>
}

/** At most so many lines are named; the rest are counted. */
const named = 5

const read = (
  file: string,
  request: string,
  repair: boolean
): Effect.Effect<Found, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const known = new Known()
    const counts = new Counts()
    const splitter = new LineSplitter()
    const damaged: Array<number> = []
    let run = Option.none<string>()
    let isHeadless = false
    let isBlank = true
    let number = 0
    /** Zeros with nothing after them so far. */
    let zeros = 0
    const foreign: NotPossible = notPossible(
      `${file} was not written by apns bulk (line 1): give another --out`
    )
    const begin = (text: string): NotPossible | undefined => {
      const header = decodeHeader(text)
      if (Option.isNone(header)) {
        if (isOtherJson(text)) return foreign
        isHeadless = true
        damaged.push(1)
        return undefined
      }
      if (header.value.request !== request) {
        return notPossible(
          `${file} holds the outcomes of another notification: repeat the command as it was to go on, or give another --out`
        )
      }
      run = Option.some(header.value.run)
      return undefined
    }
    const take = (text: string): void => {
      const line = parseLine(text)
      if (line === undefined) {
        damaged.push(number)
        return
      }
      if (isHeadless) run = Option.orElse(run, () => runOf(line))
      const before = known.get(line.line)
      if (before !== undefined) counts.add(before, -1)
      const kind: Kind = { outcome: line.outcome, reason: line.reason ?? line.error ?? "", final: isFinal(line) }
      known.set(line.line, line.token, kind)
      counts.add(kind, 1)
    }
    yield* fs.stream(file, { chunkSize: 1024 * 1024 }).pipe(
      Stream.mapError(({ message }) => notPossible(`The output ${file} cannot be read: ${fileReason({ message })}`)),
      Stream.runForEach((bytes) => {
        if (bytes.every((byte) => byte === 0)) {
          zeros += bytes.length
          return Effect.void
        }
        const before = zeros
        zeros = 0
        const lines = before > maxLineBytes
          ? undefined
          : splitter.push(before === 0 ? bytes : Buffer.concat([new Uint8Array(before), bytes]))
        if (lines === undefined) {
          return number === 0
            ? foreign
            : notPossible(`${file}: line ${number + 1} has more than a million characters: give another --out`)
        }
        for (const text of lines) {
          number++
          isBlank &&= blank.test(text)
          if (number > 1) take(text)
          else {
            const problem = begin(text)
            if (problem !== undefined) return problem
          }
        }
        return Effect.void
      })
    )
    const { complete, torn } = splitter
    const tornBytes = splitter.tornBytes + zeros
    isBlank &&= blank.test(torn)
    // the machine crashed when the file system had only the length of the file
    if (isBlank) {
      return { run, isHeadless: false, known, counts, complete: 0, torn: complete + tornBytes, damaged: [] }
    }
    if (number === 0 && !begins(torn)) return yield* foreign
    // a file that is not an output of this command has no outcomes: it is not changed
    if (isHeadless && Option.isNone(run)) return yield* foreign
    if (damaged.length > 0 && !repair) {
      return yield* notPossible(
        `${file}: line${damaged.length === 1 ? "" : "s"} ${damaged.slice(0, named).join(", ")}${
          damaged.length > named ? ` and ${damaged.length - named} more` : ""
        } cannot be read. --repair goes on without: the tokens of these lines are sent again, under the same apns-id and collapse id, and what cannot be read is moved to ${file}.damaged`
      )
    }
    return { run, isHeadless, known, counts, complete, torn: tornBytes, damaged }
  })

/** Empty, or the zeros that a file system leaves if it could not write the data before a crash. */

const blank = /^[\0\s]*$/

const beginning = "{\"apns\":\"bulk\","

/** An incomplete first line. */
const begins = (torn: string): boolean => {
  const text = torn.replace(/\0+$/, "")
  return text.startsWith(beginning) || beginning.startsWith(text)
}

/** A first line that another program has written. */
const isOtherJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The run that a line belongs to, from the name of its notification: see {@link apnsIdOf}. */
const runOf = ({ apnsId }: Line): Option.Option<string> =>
  apnsId !== undefined && /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(apnsId)
    ? Option.some(`${apnsId.slice(0, 14)}4${apnsId.slice(15, 24)}${"0".repeat(12)}`)
    : Option.none()

/** Moves the damaged lines to a file of their own. The output is replaced at once, or not at all. */
const repaired = (
  file: string,
  { damaged }: Found,
  header: string
): Effect.Effect<void, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const bad = new Set(damaged)
    const splitter = new LineSplitter()
    const draft = `${file}.repaired`
    let number = 0
    yield* Effect.scoped(Effect.gen(function*() {
      const good = yield* fs.open(draft, { flag: "w", mode: 0o600 })
      if (bad.has(1)) yield* good.writeAll(encoder.encode(header))
      const rest = yield* fs.open(`${file}.damaged`, { flag: "a", mode: 0o600 })
      yield* Stream.runForEach(fs.stream(file, { chunkSize: 1024 * 1024 }), (bytes) => {
        let kept = ""
        let moved = ""
        for (const text of splitter.push(bytes) ?? []) {
          if (bad.has(++number)) moved += `${text}\n`
          else kept += `${text}\n`
        }
        return Effect.zipRight(
          kept === "" ? Effect.void : good.writeAll(encoder.encode(kept)),
          moved === "" ? Effect.void : rest.writeAll(encoder.encode(moved))
        )
      })
      yield* good.sync
    }))
    yield* fs.rename(draft, file)
  }).pipe(Effect.mapError(({ message }) => notPossible(`The output ${file} cannot be repaired: ${message}`)))

const headerOf = (run: string, request: string): string =>
  JSON.stringify({ apns: "bulk", version: 2, run, request }) + "\n"

/**
 * Opens the output. A file that is there is continued, if it belongs to the same request; a torn last line is cut off.
 * Only its owner can read it, since it contains device tokens.
 */
export const open = (
  file: string,
  request: string,
  options: { readonly repair: boolean; readonly say: (message: string) => Effect.Effect<void> }
): Effect.Effect<Journal, NotPossible, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const failed = ({ message }: { readonly message: string }): NotPossible =>
      notPossible(`The output ${file} cannot be written: ${fileReason({ message })}`)
    const lock = yield* Lock.make(file, options.say)
    const exists = yield* Effect.mapError(fs.exists(file), failed)
    let found: Found = {
      run: Option.none(),
      isHeadless: false,
      known: new Known(),
      counts: new Counts(),
      complete: 0,
      torn: 0,
      damaged: []
    }
    if (exists) {
      found = yield* read(file, request, options.repair)
      yield* Effect.mapError(fs.chmod(file, 0o600), failed)
      if (found.torn > 0) {
        yield* options.say(
          `${file}: ${found.torn} bytes at the end were not written to their end and are dropped: what they may have said is sent again, under the same apns-id`
        )
      }
      if (found.damaged.length > 0) {
        yield* repaired(
          file,
          found,
          headerOf(Option.getOrElse(found.run, () => ""), request)
        )
      } else yield* Effect.mapError(fs.truncate(file, found.complete), failed)
    }
    const output = yield* Effect.mapError(fs.open(file, { flag: "a", mode: 0o600 }), failed)
    const run = Option.getOrElse(found.run, () => randomUUID())
    // into the cache of the operating system, which takes microseconds: handing it to another thread takes longer
    const writeNow = (text: string): Effect.Effect<void, NotPossible> =>
      Effect.try({
        try: () => {
          const bytes = Buffer.from(text)
          for (let at = 0; at < bytes.length;) at += writeSync(output.fd, bytes, at)
        },
        catch: (error) => failed({ message: error instanceof Error ? error.message : String(error) })
      })
    const write = (text: string) => Effect.zipRight(lock.check, writeNow(text))
    if (Option.isNone(found.run)) {
      yield* write(headerOf(run, request))
    }
    const { counts, known } = found
    return {
      run,
      known,
      counts,
      resumed: counts.total,
      append: (batch) =>
        Effect.suspend(() => {
          // an empty write is an error
          if (batch.size === 0) return Effect.void
          return Effect.map(write(batch.text), () => {
            const forget = (line: number) => {
              const before = known.get(line)
              if (before !== undefined) counts.add(before, -1)
            }
            for (const line of batch.acceptedLines) forget(line)
            counts.accepted += batch.acceptedLines.length
            for (const { line, outcome } of batch.others) {
              forget(line)
              counts.add({ outcome: outcome.outcome, reason: reasonOf(outcome), final: isFinal(outcome) }, 1)
            }
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

/**
 * The UUID of a line within a run, always the same: of version 8 (RFC 9562 section 5.8), the random
 * bits of the run and the number of the line.
 */
export const apnsIdOf = (run: string): (line: number) => string => {
  const prefix = `${run.slice(0, 14)}8${run.slice(15, 24)}`
  return (line) => prefix + line.toString(16).padStart(12, "0")
}
