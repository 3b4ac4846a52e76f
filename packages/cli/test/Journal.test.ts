/**
 * The output of `apns bulk`: what is read from one that is there, in whatever state a crash has left it, and what is
 * added to it.
 */
import { Error as PlatformError, FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck } from "effect"
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import type { NotPossible } from "../src/internal/errors.js"
import { apnsIdOf, Batch, Counts, type Journal, Known, open, requestOf } from "../src/internal/journal.js"
import { maxLineBytes } from "../src/internal/lines.js"
import { directory } from "./utils/harness.js"

const bytes = (text: string) => new TextEncoder().encode(text)

const hexadecimal = FastCheck.hexaString({ minLength: 1, maxLength: 80 })

describe("Known", () => {
  const kinds = [
    { outcome: "accepted", reason: "", final: true },
    { outcome: "rejected", reason: "Unregistered", final: true },
    { outcome: "failed", reason: "Timeout", final: false }
  ] as const

  it.prop("has the newest outcome of each line that was added, its token, and no other line", [
    FastCheck.array(
      FastCheck.tuple(FastCheck.integer({ min: 1, max: 100_000 }), hexadecimal, FastCheck.constantFrom(...kinds))
    )
  ], ([added]) => {
    const known = new Known()
    for (const [line, token, kind] of added) known.set(line, token, kind)
    const newest = new Map(added.map(([line, token, kind]) => [line, { token, kind }]))
    for (const [line, { kind, token }] of newest) {
      assert.deepStrictEqual(known.get(line), kind)
      assert.isTrue(known.matches(line, token))
      assert.isFalse(known.matches(line, `${token}0`))
      if (!newest.has(line + 1)) assert.isUndefined(known.get(line + 1))
    }
  })
})

describe("Known and Counts at their limits", () => {
  it("lines beyond any before -> there is room for them, and what was there stays", () => {
    const known = new Known()
    const kind = { outcome: "accepted", reason: "", final: true } as const
    const lines = [1, 1023, 1024, 1025, 5000, 2 ** 32, 99_999_999_999, Number.MAX_SAFE_INTEGER - 1]
    for (const line of lines) {
      known.set(line, `t${line}`, kind)
      assert.isUndefined(known.get(line + 1))
      assert.isTrue(known.matches(line, `t${line}`))
    }
    for (const line of lines) assert.deepStrictEqual(known.get(line), kind)
    assert.strictEqual(known.kinds.length, 1)
  })

  it("more than 65,535 kinds -> those beyond share the last number, the others stay as they are", () => {
    const known = new Known()
    const kind = (n: number) => ({ outcome: "rejected", reason: `R${n}`, final: n % 2 === 0 }) as const
    const codes = Array.from({ length: 65_540 }, (_, i) => known.codeOf(kind(i + 1)))
    assert.isTrue(codes.every((code, i) => code === Math.min(i + 1, 65_535)))
    assert.deepStrictEqual([known.codeOf(kind(1)), known.codeOf(kind(65_540))], [1, 65_535])
    assert.strictEqual(known.codeOf({ ...kind(1), final: true }), 65_535)
  })

  it("each outcome counts once, under its reason unless it was accepted, until it is taken back", () => {
    const counts = new Counts()
    const kinds = [["accepted", "", true], ["rejected", "R", true], ["rejected", "R", false], [
      "failed",
      "F",
      false
    ]] as const
    for (const [outcome, reason, final] of kinds) counts.add({ outcome, reason, final }, 1)
    assert.deepInclude(counts, { accepted: 1, rejected: 2, failed: 1, again: 2, total: 4 })
    assert.deepStrictEqual([...counts.reasons], [["R", 2], ["F", 1]])
    counts.add({ outcome: "rejected", reason: "R", final: false }, -1)
    counts.add({ outcome: "failed", reason: "F", final: false }, -1)
    assert.deepInclude(counts, { accepted: 1, rejected: 1, failed: 0, again: 0, total: 2 })
    assert.deepStrictEqual([...counts.reasons], [["R", 1]])
  })
})

describe("Batch", () => {
  it.prop("any answer of the server -> lines of JSON", [
    FastCheck.integer({ min: 1 }),
    hexadecimal,
    FastCheck.oneof(FastCheck.uuid(), FastCheck.fullUnicodeString()),
    FastCheck.option(FastCheck.fullUnicodeString(), { nil: undefined }),
    FastCheck.fullUnicodeString()
  ], ([line, token, apnsId, uniqueId, message]) => {
    const batch = new Batch()
    batch.accepted(line, token, { apnsId, uniqueId, attempts: 1 })
    const failed = { outcome: "failed", error: "Timeout", processed: "no", attempts: 2, message } as const
    batch.add(line, token, failed)
    assert.strictEqual(batch.size, 2)
    const [first = "", second = "", ...rest] = batch.text.split("\n")
    assert.deepStrictEqual(rest, [""])
    assert.deepStrictEqual(JSON.parse(first), {
      line,
      token,
      outcome: "accepted",
      apnsId,
      ...(uniqueId === undefined ? undefined : { uniqueId }),
      attempts: 1
    })
    assert.deepStrictEqual(JSON.parse(second), { line, token, ...failed })
  })
})

describe("an apns-id that is no plain text", () => {
  it.each(["\"", "\\", "a\nb", "\n", "a\u2028", "\u00e9", "a b"])(
    "%j -> one line of JSON, which says the same",
    (apnsId) => {
      const batch = new Batch()
      batch.accepted(1, "t1", { apnsId, uniqueId: undefined, attempts: 1 })
      assert.match(batch.text, /^[^\n\u2028]*\n$/)
      assert.deepStrictEqual(JSON.parse(batch.text), { line: 1, token: "t1", outcome: "accepted", apnsId, attempts: 1 })
    }
  )
})

describe("apnsIdOf", () => {
  it("is the UUID (version 8) of the line in the run", () => {
    const idOf = apnsIdOf("4dd58a81-9328-45c6-a587-4bd76aed1d84")
    assert.strictEqual(idOf(1), "4dd58a81-9328-85c6-a587-000000000001")
    assert.strictEqual(idOf(1_000_000), "4dd58a81-9328-85c6-a587-0000000f4240")
  })
})

describe("requestOf", () => {
  it("fields that are only equal when joined -> different requests", () => {
    const requests = [["ab", "c"], ["a", "bc"], ["abc", undefined], [undefined, "abc"], ["ab", bytes("c")]]
    assert.strictEqual(new Set(requests.map(requestOf)).size, 4)
  })

  it("is the same in each version, so that an output can be continued with a newer one", () => {
    assert.strictEqual(
      requestOf(["ab", undefined, bytes("c")]),
      "a29c4c460db3ada22bf541630be1ddcd671c89ecc2160c25483c7ebf88c235d0"
    )
  })
})

describe("an output", () => {
  const run = "4dd58a81-9328-45c6-a587-4bd76aed1d84"
  const request = "the request"
  const idOf = apnsIdOf(run)
  const header = `{"apns":"bulk","version":2,"run":"${run}","request":"${request}"}\n`
  const accepted = (line: number, token = `t${line}`): string =>
    `{"line":${line},"token":"${token}","outcome":"accepted","apnsId":"${idOf(line)}","attempts":1}\n`
  const rejected = (line: number, reason: string, action: string): string =>
    `{"line":${line},"token":"t${line}","outcome":"rejected","reason":"${reason}","action":"${action}"}\n`
  const failed = (line: number, error: string): string =>
    `{"line":${line},"token":"t${line}","outcome":"failed","error":"${error}"}\n`

  interface Tried {
    /** What the journal said, or why there is none. */
    readonly journal: Journal | string
    /** The files afterwards, and what was said. */
    readonly after: string
    readonly damaged: string
    readonly said: ReadonlyArray<string>
  }

  /** Opens an output that holds `content`, uses it and closes it. */
  const opened = (
    content: string | Uint8Array | undefined,
    options: {
      readonly repair?: boolean
      readonly use?: (journal: Journal, file: string) => Effect.Effect<void, NotPossible, FileSystem.FileSystem>
      readonly prepare?: (file: string) => void
      readonly broken?: (fs: FileSystem.FileSystem) => Partial<FileSystem.FileSystem>
    } = {}
  ): Effect.Effect<Tried> =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = `${yield* directory}/out`
      if (content !== undefined) writeFileSync(file, content, { mode: 0o644 })
      options.prepare?.(file)
      const said: Array<string> = []
      const say = (message: string) => Effect.sync(() => void said.push(message.replaceAll(file, "OUT")))
      const journal = yield* open(file, request, { repair: options.repair ?? false, say }).pipe(
        Effect.tap((journal) => options.use?.(journal, file) ?? Effect.void),
        Effect.scoped,
        Effect.catchAll(({ message }) => Effect.succeed(message.replaceAll(file, "OUT"))),
        Effect.provideService(FileSystem.FileSystem, { ...fs, ...options.broken?.(fs) })
      )
      const read = (path: string): string => {
        if (!existsSync(path) || !statSync(path).isFile()) return ""
        // others may not read device tokens
        if (typeof journal !== "string") assert.strictEqual(statSync(path).mode & 0o777, 0o600)
        return readFileSync(path, "latin1")
      }
      assert.isFalse(existsSync(`${file}.lock`))
      assert.isFalse(existsSync(`${file}.repaired`) && typeof journal !== "string")
      return { journal, after: read(file), damaged: read(`${file}.damaged`), said }
    }).pipe(Effect.scoped, Effect.orDie, Effect.provide(NodeContext.layer))

  /** The journal of an output that could be opened. */
  const journalOf = ({ journal }: Tried): Journal => {
    if (typeof journal === "string") throw new Error(journal)
    return journal
  }
  const kinds = ({ known }: Journal, lines: number) =>
    Array.from({ length: lines }, (_, i) => {
      const kind = known.get(i + 1)
      return kind === undefined ? "-" : `${kind.outcome} ${kind.reason} ${kind.final}`
    })
  const outcomes = header + accepted(1) + rejected(2, "Unregistered", "remove") +
    rejected(3, "TooManyRequests", "retry") + failed(4, "Timeout") + failed(5, "ParseError")
  const foreign = "OUT was not written by apns bulk (line 1): give another --out"

  it.live("is new -> it gets a header with a run of its own, and can be read by its owner alone", () =>
    Effect.gen(function*() {
      const made = yield* opened(undefined)
      const { counts, resumed, run } = journalOf(made)
      assert.match(run, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/)
      assert.deepStrictEqual([made.after, made.said], [header.replace(/4dd58.*?"/, `${run}"`), []])
      assert.deepStrictEqual([resumed, counts.total], [0, 0])
      assert.notStrictEqual(journalOf(yield* opened(undefined)).run, run)
    }))

  it.live("has outcomes of the same request -> the run goes on with them, the newest of each line counts", () =>
    Effect.gen(function*() {
      const text = outcomes + accepted(3) + failed(7, "Timeout") + failed(7, "Dropped")
      const made = yield* opened(text)
      const { counts, known, resumed, run: found } = journalOf(made)
      assert.deepStrictEqual([found, made.after, made.said], [run, text, []])
      assert.deepStrictEqual(kinds(journalOf(made), 7), [
        "accepted  true",
        "rejected Unregistered true",
        "accepted  true",
        "failed Timeout false",
        "failed ParseError true",
        "-",
        "failed Dropped false"
      ])
      assert.isTrue(known.matches(4, "t4"))
      assert.deepInclude(counts, { accepted: 2, rejected: 1, failed: 3, again: 2 })
      assert.deepStrictEqual([...counts.reasons.keys()].sort(), ["Dropped", "ParseError", "Timeout", "Unregistered"])
      assert.deepStrictEqual([resumed, counts.total], [6, 6])
    }))

  it.live("what is appended stands behind the rest, and counts in place of what the line had before", () =>
    Effect.gen(function*() {
      const batch = new Batch()
      batch.accepted(4, "t4", { apnsId: idOf(4), uniqueId: undefined, attempts: 1 })
      batch.accepted(8, "t8", { apnsId: idOf(8), uniqueId: undefined, attempts: 2 })
      const again = { outcome: "failed", error: "Timeout", processed: "no", attempts: 1, message: "m" } as const
      batch.add(3, "t3", again)
      batch.add(9, "t9", { ...again, error: "ParseError" })
      const made = yield* opened(outcomes, {
        use: (journal) =>
          Effect.gen(function*() {
            yield* journal.append(new Batch())
            yield* journal.append(batch)
            yield* journal.sync
          })
      })
      assert.strictEqual(made.after, outcomes + batch.text)
      assert.deepStrictEqual(batch.text.split("\n").slice(0, 2), [
        accepted(4).trim(),
        accepted(8).trim().replace("\"attempts\":1", "\"attempts\":2")
      ])
      const { counts, resumed } = journalOf(made)
      assert.deepInclude(counts, { accepted: 3, rejected: 1, failed: 3, again: 1 })
      assert.deepStrictEqual([...counts.reasons], [["Unregistered", 1], ["ParseError", 2], ["Timeout", 1]])
      assert.deepStrictEqual([resumed, counts.total], [5, 7])
    }))

  it.live("belongs to another notification, or to another program -> refused, and nothing is changed", () =>
    Effect.gen(function*() {
      const another =
        "OUT holds the outcomes of another notification: repeat the command as it was to go on, or give another --out"
      const rows: ReadonlyArray<readonly [content: string, message: string]> = [
        [header.replace(request, "another") + accepted(1), another],
        [header.replace("bulk", "send"), foreign],
        [header.replace("2", "1"), foreign],
        [header.replace(run, "4dd58a81"), foreign],
        [header.replace(`"${request}"`, "1"), foreign],
        ["[]\n", foreign],
        ["name,token\na,b\n", foreign],
        ["name,token\n" + accepted(1).replace(idOf(1), "id"), foreign],
        ["#!/bin/sh", foreign],
        ["{\"apns\":\"send\",", foreign],
        ["v".repeat(maxLineBytes + 1), foreign]
      ]
      for (const [content, message] of rows) {
        for (const repair of [false, true]) {
          const tried = yield* opened(content, { repair })
          assert.deepStrictEqual(tried, { journal: message, after: content, damaged: "", said: [] })
        }
      }
    }))

  it.live("has nothing, or the beginning of a header, or what a crash leaves in place of one -> a new run", () =>
    Effect.gen(function*() {
      const rows = [
        "",
        "\n \0\n",
        "\n\n",
        "\0".repeat(3),
        " ",
        "{",
        header.slice(0, 20),
        header.slice(0, -1),
        `${header.slice(0, 20)}\0\0`
      ]
      for (const content of rows) {
        const made = yield* opened(content)
        const { resumed, run } = journalOf(made)
        assert.strictEqual(made.after, header.replace(/4dd58.*?"/, `${run}"`), JSON.stringify(content))
        assert.strictEqual(resumed, 0)
        assert.deepStrictEqual(
          made.said,
          content === "" ? [] : [
            `OUT: ${content.length} bytes at the end were not written to their end and are dropped: what they may have said is sent again, under the same apns-id`
          ]
        )
      }
    }))

  it.live("ends in a line that is not complete, or in zeros -> the end is dropped, with its size", () =>
    Effect.gen(function*() {
      for (
        const torn of [accepted(6).slice(0, -1), "{\"line\":6", "\0".repeat(9), "{\0\0", "\0".repeat(2 * maxLineBytes)]
      ) {
        const made = yield* opened(outcomes + torn)
        assert.strictEqual(made.after, outcomes)
        assert.strictEqual(journalOf(made).run, run)
        assert.deepStrictEqual(kinds(journalOf(made), 6).at(-1), "-")
        assert.lengthOf(made.said, 1)
        assert.include(made.said[0], `OUT: ${torn.length} bytes at the end were not written to their end`)
      }
    }))

  it.live("has lines that cannot be read -> refused with their numbers, and nothing is changed", () =>
    Effect.gen(function*() {
      const why =
        " cannot be read. --repair goes on without: the tokens of these lines are sent again, under the same apns-id and collapse id, and what cannot be read is moved to OUT.damaged"
      const bad = [
        accepted(0),
        accepted(1.5),
        accepted(-1),
        accepted(1).replace("\"t1\"", "1"),
        accepted(1).replace("accepted", "sent"),
        accepted(1).replace(/"apnsId":".*?"/, "\"apnsId\":1"),
        failed(1, "x").replace("\"x\"", "1"),
        rejected(1, "x", "y").replace("\"x\"", "1"),
        rejected(1, "x", "y").replace("\"y\"", "1"),
        "\n",
        "null\n",
        "\0\0\n"
      ]
      for (const line of bad) {
        const content = header + accepted(1) + line + accepted(2)
        const tried = yield* opened(content)
        assert.deepStrictEqual(tried, { journal: `OUT: line 3${why}`, after: content, damaged: "", said: [] })
      }
      const rows = [[1, " 2"], [2, "s 2, 3"], [5, "s 2, 3, 4, 5, 6"], [6, "s 2, 3, 4, 5, 6 and 1 more"]] as const
      for (const [count, numbers] of rows) {
        assert.strictEqual((yield* opened(header + "?\n".repeat(count))).journal, `OUT: line${numbers}${why}`)
      }
      assert.strictEqual((yield* opened("?\n" + accepted(1))).journal, `OUT: line 1${why}`)
    }))

  it.live("has lines that cannot be read, and is to be repaired -> they are moved, the others stay, and the run goes on", () =>
    Effect.gen(function*() {
      const made = yield* opened(header + accepted(1) + "?\n" + accepted(2) + "!\nto", { repair: true })
      assert.deepStrictEqual([made.after, made.damaged], [header + accepted(1) + accepted(2), "?\n!\n"])
      assert.deepStrictEqual([journalOf(made).run, journalOf(made).resumed], [run, 2])
      assert.lengthOf(made.said, 1)
      assert.include(made.said[0], "OUT: 2 bytes at the end")
      // what was moved before stays
      const more = yield* opened(header + "?\n", {
        repair: true,
        prepare: (file) => writeFileSync(`${file}.damaged`, "!\n", { mode: 0o600 })
      })
      assert.deepStrictEqual([more.after, more.damaged, more.said], [header, "!\n?\n", []])
    }))

  it.live("has no header that can be read -> the run is known from the first outcome with an apns-id of a bulk", () =>
    Effect.gen(function*() {
      const version4 = accepted(1).replace("-85c6-", "-45c6-")
      const other = accepted(4).replace("4dd58a81", "4dd58a82")
      const content = "{\"apns\":\"bu\n" + version4 + failed(2, "Timeout") + accepted(3) + other
      const made = yield* opened(content, { repair: true })
      assert.match(journalOf(made).run, /^4dd58a81-9328-45c6-a587-0{12}$/)
      assert.strictEqual(apnsIdOf(journalOf(made).run)(3), idOf(3))
      assert.strictEqual(
        made.after,
        header.replace(run, journalOf(made).run) + content.slice(content.indexOf("\n") + 1)
      )
      assert.strictEqual(made.damaged, "{\"apns\":\"bu\n")
      assert.strictEqual(journalOf(made).resumed, 4)
      for (const id of [`${idOf(1)}0`, `0${idOf(1)}`, idOf(1).toUpperCase()]) {
        const tried = yield* opened("?\n" + accepted(1).replace(idOf(1), id), { repair: true })
        assert.strictEqual(tried.journal, foreign)
      }
    }))

  it.live("is larger than what is read at once -> read, and repaired, as a whole", () =>
    Effect.gen(function*() {
      const lines = Array.from({ length: 5 }, (_, i) => accepted(i + 1, "t".repeat(300_000 + i)))
      const made = yield* opened(header + lines.join("?\n"), { repair: true })
      assert.deepStrictEqual([made.after, made.damaged], [header + lines.join(""), "?\n".repeat(4)])
      assert.strictEqual(journalOf(made).resumed, 5)
      // zeros up to the end of a part, and a whole one of them
      const start = header + accepted(1)
      const zeros = "\0".repeat(2 * maxLineBytes - start.length)
      const inside = yield* opened(start + zeros + "\n" + accepted(2), { repair: true })
      assert.strictEqual(inside.after, start + accepted(2))
      assert.strictEqual(journalOf(inside).resumed, 2)
      const more = yield* opened(start + zeros + "\0".repeat(maxLineBytes) + "\n" + accepted(2))
      const tooLong = (line: number) => `OUT: line ${line} has more than a million characters: give another --out`
      assert.strictEqual(more.journal, tooLong(3))
      assert.strictEqual((yield* opened(header + "v".repeat(2 * maxLineBytes))).journal, tooLong(2))
    }))

  it.live("is used by another process -> refused, and free again when that one has closed it", () =>
    Effect.gen(function*() {
      const made = yield* opened(outcomes, {
        use: (_, file) =>
          Effect.gen(function*() {
            const second = yield* Effect.either(
              Effect.scoped(open(file, request, { repair: false, say: () => Effect.void }))
            )
            assert.include(Either.isLeft(second) ? second.left.message : "", "is being written by process")
          })
      })
      assert.strictEqual(made.after, outcomes)
    }))

  it.live("cannot be read or written -> refused with the reason", () =>
    Effect.gen(function*() {
      const full = Effect.fail(
        new PlatformError.SystemError({
          reason: "Unknown",
          module: "FileSystem",
          method: "any",
          pathOrDescriptor: "out",
          description: "ENOSPC: no space left on device"
        })
      )
      const cannot = "The output OUT cannot be written: the disk is full"
      const brokens: ReadonlyArray<(fs: FileSystem.FileSystem) => Partial<FileSystem.FileSystem>> = [
        () => ({ exists: () => full }),
        () => ({ chmod: () => full }),
        () => ({ truncate: () => full }),
        () => ({ open: () => full }),
        // a disk without room, where the system has such a thing
        ...(existsSync("/dev/full")
          ? [(fs: FileSystem.FileSystem) => ({
            open: (_: string, options?: FileSystem.OpenFileOptions) => fs.open("/dev/full", options)
          })]
          : [])
      ]
      const batch = new Batch()
      batch.accepted(1, "t1", { apnsId: "", uniqueId: undefined, attempts: 1 })
      for (const broken of brokens) {
        const tried = yield* opened(outcomes, {
          broken,
          use: (journal) => journal.append(batch)
        })
        assert.strictEqual(tried.journal, cannot)
        assert.strictEqual(tried.after, outcomes)
      }
      const folder = yield* opened(undefined, { prepare: (file) => mkdirSync(file) })
      assert.strictEqual(folder.journal, "The output OUT cannot be read: it is a folder")
      const unmoved = yield* opened(header + "?\n", { repair: true, prepare: (file) => mkdirSync(`${file}.damaged`) })
      assert.match(String(unmoved.journal), /^The output OUT cannot be repaired: .*EISDIR/)
      assert.strictEqual(unmoved.after, header + "?\n")
      const unsynced = yield* opened(outcomes, {
        use: (journal) => journal.sync,
        broken: (fs) => ({
          open: (path, options) => Effect.map(fs.open(path, options), (file) => ({ ...file, fd: file.fd, sync: full }))
        })
      })
      assert.strictEqual(unsynced.journal, cannot)
    }))
})
