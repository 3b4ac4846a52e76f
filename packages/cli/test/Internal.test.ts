import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import {
  Chunk,
  Console,
  Effect,
  Either,
  Exit,
  FastCheck,
  Fiber,
  Option,
  Schedule,
  Scope,
  Stream,
  TestClock
} from "effect"
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import nodeFs from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import { gzipSync } from "node:zlib"
import stringWidth from "string-width"
import { invocation } from "../src/internal/invocation.js"
import { LineSplitter, maxLineBytes, plain, tokens } from "../src/internal/lines.js"
import * as Lock from "../src/internal/lock.js"
import * as Progress from "../src/internal/progress.js"
import { Screen } from "../src/internal/screen.js"
import * as Terminal from "../src/internal/terminal.js"
import { FirstLines } from "../src/internal/tokens.js"
import { directory } from "./utils/harness.js"

const bytes = (text: string) => new TextEncoder().encode(text)

const read = (parts: ReadonlyArray<Uint8Array>) =>
  Stream.runCollect(tokens(Stream.fromIterable(parts), (line) => line, () => {})).pipe(
    Effect.map(Chunk.toReadonlyArray)
  )

describe("tokens", () => {
  it.prop("are the same in chunks of any size", [
    FastCheck.array(
      FastCheck.oneof(
        FastCheck.constantFrom("", "# é", " 00ff ", "00ff\r"),
        FastCheck.stringMatching(/^[0-9a-f]{1,80}$/)
      )
    ),
    FastCheck.array(FastCheck.nat(50)),
    FastCheck.boolean()
  ], ([lines, cuts, ended]) => {
    const whole = bytes(lines.join("\n") + (ended ? "\n" : ""))
    const parts: Array<Uint8Array> = []
    let at = 0
    for (const cut of cuts) parts.push(whole.subarray(at, at += cut))
    parts.push(whole.subarray(at))
    const expected = lines.map((text, i) => ({ line: i + 1, token: text.trim() }))
      .filter(({ token }) => token !== "" && !token.startsWith("#"))
    assert.deepStrictEqual(Effect.runSync(read(parts)), expected)
  })

  it.effect("a line without end -> refused before it fills the memory", () =>
    Effect.gen(function*() {
      const endless = Stream.repeatValue(bytes("0".repeat(65_536)))
      const result = yield* Effect.either(Stream.runDrain(tokens(endless, (line) => line, () => {})))
      assert.deepStrictEqual(result, Either.left(1))
      assert.isBelow(maxLineBytes, 2 ** 24)
    }))
})

describe("an input that is no plain text", () => {
  const text = "0123456789abcdef\n"
  const encoded: Record<string, readonly [Uint8Array, string]> = {
    "UTF-16, little end first": [Buffer.from(`\ufeff${text}`, "utf16le"), "it is UTF-16"],
    "UTF-16, big end first": [Buffer.from(`\ufeff${text}`, "utf16le").swap16(), "it is UTF-16"],
    "gzip": [gzipSync(text), "it is compressed"],
    "a spreadsheet": [Buffer.from("PK\u0003\u0004..."), "it is a ZIP archive"]
  }
  for (const [name, [input, why]] of Object.entries(encoded)) {
    it.effect(`is refused with what it is: ${name}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Stream.runDrain(plain(Stream.make(input), (why) => why)))
        assert.include(error, why)
      }))
  }
  it.effect("is taken where it has a byte order mark of UTF-8, whatever stands later", () =>
    Effect.gen(function*() {
      const parts = [bytes(`\ufeff${text}`), Buffer.from([0xff, 0xfe])]
      assert.lengthOf(yield* Stream.runCollect(plain(Stream.fromIterable(parts), (why) => why)), 2)
    }))
})

describe("LineSplitter", () => {
  it("knows how many bytes are complete lines, and which are not", () => {
    const splitter = new LineSplitter()
    assert.deepStrictEqual(splitter.push(bytes("é\nb")), ["é"])
    assert.deepStrictEqual(splitter.push(bytes("c\nd")), ["bc"])
    assert.strictEqual(splitter.complete, bytes("é\nbc\n").length)
    assert.strictEqual(splitter.torn, "d")
  })
})

describe("FirstLines", () => {
  it.prop("gives the first line of each token, in upper or lower case", [
    FastCheck.array(FastCheck.tuple(FastCheck.integer({ min: 0, max: 3000 }), FastCheck.boolean()), {
      maxLength: 6000,
      size: "max"
    })
  ], ([tokens]) => {
    const lines = new FirstLines()
    const first = new Map<number, number>()
    for (const [i, [n, upper]] of tokens.entries()) {
      const token = `ab${n.toString(16)}cd`
      if (!first.has(n)) first.set(n, i + 1)
      assert.strictEqual(lines.of(i + 1, upper ? token.toUpperCase() : token), first.get(n))
    }
  })
})

describe("Progress", () => {
  const state: Progress.State = {
    accepted: 1_500,
    rejected: 2,
    failed: 0,
    settled: 1_000,
    fraction: 0.5,
    waiting: undefined
  }
  const waiting = { ...state, waiting: { since: 0, why: "connection refused" } }

  it("shows progress, speed, outcomes and the remaining time", () => {
    assert.strictEqual(
      Progress.draw(state, 10, 0.25, 0, 200),
      "████████████░░░░░░░░░░░░  50 %  0:20 left  1,502 done  100/s  1,500 accepted  2 rejected"
    )
    assert.strictEqual(
      Progress.draw({ ...state, fraction: undefined, failed: 3 }, 10, 0, 0, 200),
      "1,505 done  100/s  1,500 accepted  2 rejected  3 failed"
    )
    assert.include(Progress.draw({ ...state, fraction: 0.001 }, 10, 0, 0, 200), "2:46:30 left")
  })

  it("waiting -> shows since when and why, without the remaining time", () => {
    const line = Progress.draw(waiting, 10, 0.25, 12_000, 200)
    assert.include(line, "waiting for a connection since 12 s: connection refused")
    assert.notInclude(line, "left")
    assert.include(Progress.draw(waiting, 10, 0.25, 3_700_000, 80), "since 1:01:40")
  })

  it("any width -> fits, by leaving out whole parts", () => {
    for (let columns = 20; columns <= 200; columns++) {
      for (const each of [state, waiting, { ...waiting, waiting: { since: 0, why: "日本語 ".repeat(40) } }]) {
        const line = Progress.draw(each, 10, 0.25, 12_000, columns)
        assert.isBelow(stringWidth(line), columns)
        assert.notMatch(line, /accepte$|rejecte$|\d,$/)
      }
      if (columns >= 40) assert.include(Progress.draw(state, 10, 0.25, 0, columns), "left")
      if (columns >= 40) assert.include(Progress.draw(waiting, 10, 0.25, 12_000, columns), "waiting for a connection")
    }
  })

  const screen = (isTTY: boolean, environment: Record<string, string> = {}) => {
    const texts: Array<string> = []
    const stream = { isTTY, columns: 200, write: (text: string) => texts.push(text) }
    const terminal = Terminal.make({ stdout: stream, stderr: stream, environment })
    const program = (state: Progress.State) =>
      Effect.scoped(Effect.gen(function*() {
        const { say } = yield* Progress.show(() => state)
        yield* TestClock.adjust("25 seconds")
        yield* say("Hello")
      })).pipe(
        Console.withConsole({
          ...Effect.runSync(Effect.console),
          error: (text) => Effect.sync(() => terminal.print(String(text)))
        }),
        Effect.provideService(Screen, terminal)
      )
    return { texts, program }
  }
  const erase = `\r${String.fromCharCode(27)}[K`

  it.effect("redraws one line on a terminal, writes messages above it, and leaves none behind", () => {
    const { program, texts } = screen(true)
    return Effect.gen(function*() {
      yield* program(state)
      assert.match(texts[0] ?? "", /^\r.*50 %/)
      const bar = texts.slice(0, -4).at(-1)?.slice(erase.length)
      assert.deepStrictEqual(texts.slice(-4), [erase, "Hello\n", bar, erase])
    })
  })

  it.effect.each([[false, {}], [true, { TERM: "dumb" }]] as const)(
    "not a terminal -> a plain line now and then",
    ([isTTY, environment]) => {
      const { program, texts } = screen(isTTY, environment)
      return Effect.gen(function*() {
        yield* program(state)
        assert.strictEqual(texts.length, 3)
        assert.match(texts[1] ?? "", /1,502 done {2}50\/s .* accepted.*\n$/)
        assert.notInclude(texts.join(""), "\r")
      })
    }
  )
})

describe("invocation", () => {
  it.scopedLive("is the command line that works in another terminal", () =>
    Effect.gen(function*() {
      const folder = yield* directory
      const bin = `${folder}/bin`
      const local = `${folder}/node_modules/.bin`
      mkdirSync(bin)
      mkdirSync(local, { recursive: true })
      writeFileSync(`${local}/apns`, "", { mode: 0o755 })
      const installed = "/usr/lib/node_modules/@effect-apns/cli/build/command/bin.js"
      const fetched = "/home/me/.npm/_npx/0123/node_modules/.bin/apns"
      const project = "/home/me/shop/node_modules/.bin/apns"
      const PATH = `${local}::/no/such/folder:${bin}`
      assert.strictEqual(invocation({ PATH }, fetched), "npx @effect-apns/cli")
      assert.strictEqual(invocation({ PATH }, project), "npx apns")
      assert.strictEqual(invocation({}, project), "npx apns")
      // from a clone of the repository, or by a path
      assert.strictEqual(invocation({ PATH }, "/home/me/effect-apns/packages/cli/build/command/bin.js"), "apns")
      assert.strictEqual(invocation({ PATH }, undefined), "apns")
      writeFileSync(`${bin}/apns`, "", { mode: 0o755 })
      for (const script of [installed, fetched, project]) assert.strictEqual(invocation({ PATH }, script), "apns")
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("Terminal.hang", () => {
  const of = (isTTY: boolean, columns: number) =>
    Terminal.make({ stdout: { isTTY, columns, write: () => {} }, stderr: { write: () => {} }, environment: {} }).hang

  it.each([20, 40, 80])("keeps each line within %i columns, and loses nothing", (columns) => {
    const text = `POST /3/device/${"0".repeat(100)} 200 accepted, and some words more`
    const lines = of(true, columns)(text, "    ").split("\n")
    for (const line of lines) assert.isAtMost(line.length, columns)
    for (const line of lines.slice(1)) assert.match(line, /^ {4}\S/)
    assert.strictEqual(lines.map((line) => line.trim()).join("").replaceAll(" ", ""), text.replaceAll(" ", ""))
  })
  it("leaves a line as it is where there is no screen", () => {
    assert.strictEqual(of(false, 10)("a b ".repeat(50), "  "), "a b ".repeat(50))
  })
})

describe("Terminal.print", () => {
  it("colors are kept, other control sequences are shown as text", () => {
    const texts: Array<string> = []
    const stream = { isTTY: true, columns: 80, write: (text: string) => texts.push(text) }
    const red = "\u001b[31mred\u001b[39m"
    const terminal = Terminal.make({ stdout: stream, stderr: stream, environment: {} })
    terminal.print(`${red}\n\u001b[2J\u0007\r\u009b2J`)
    terminal.result("\u001b]0;title\u0007")
    assert.deepStrictEqual(texts, [
      `${red}\n\\u001b[2J\\u0007\\u000d\\u009b2J\n`,
      "\\u001b]0;title\\u0007\n"
    ])
  })
})

describe("a message on a screen", () => {
  const message =
    "Stopping: there is no connection to wait for.\n  4 accepted of those that there are, and so on and on\nshort\n"

  it.each([20, 30, 40, 44, 60])("is broken between words at %i columns, and keeps its indentation", (columns) => {
    const texts: Array<string> = []
    const stream = { isTTY: true, columns, write: (text: string) => texts.push(text) }
    Terminal.make({ stdout: stream, stderr: stream, environment: {} }).print(message)
    const lines = texts.join("").split("\n")
    for (const line of lines) {
      assert.isAtMost(line.length, columns)
      assert.match(line, /^(?: {2})?\S|^$/)
      assert.notMatch(line, /\s$/)
    }
    assert.strictEqual(lines.join(" ").replace(/\s+/g, " "), message.replace(/\s+/g, " "))
    const second = lines.findIndex((line) => line.startsWith("  4 accepted"))
    const end = lines.indexOf("short")
    for (const line of lines.slice(second, end)) assert.match(line, /^ {2}\S/)
  })
})

describe("Terminal.hasColors", () => {
  const terminal = { isTTY: true, write: () => undefined }
  const pipe = { isTTY: false, write: () => undefined }

  it.each([
    [terminal, { TERM: "xterm" }, true],
    [terminal, { TERM: "xterm", NO_COLOR: "1" }, false],
    [terminal, { TERM: "xterm", NO_COLOR: "" }, true],
    [terminal, { TERM: "dumb" }, false],
    [terminal, { TERM: "xterm", FORCE_COLOR: "0" }, false],
    [pipe, { TERM: "xterm" }, false],
    [pipe, { FORCE_COLOR: "1" }, true],
    [pipe, { FORCE_COLOR: "", NO_COLOR: "1" }, true],
    [pipe, { FORCE_COLOR: "false" }, false]
  ])("%o in %o", (stream, environment, expected) => {
    assert.strictEqual(Terminal.hasColors(stream, environment), expected)
  })
})

describe("Lock", () => {
  const silent = () => Effect.void
  const inDirectory = <A, E>(use: (file: string) => Effect.Effect<A, E, FileSystem.FileSystem>) =>
    Effect.scoped(Effect.flatMap(directory, (dir) => use(`${dir}/out`))).pipe(Effect.provide(NodeContext.layer))
  const gone = () => spawnSync(process.execPath, ["--version"]).pid
  const holder = (more: object) =>
    JSON.stringify({
      nonce: "n",
      host: "other",
      space: "other",
      pid: process.pid,
      born: "1",
      since: "2026-01-01T00:00:00.000Z",
      ...more
    })

  const failing = (code: string) => Object.assign(new Error(code), { code })
  /** A file system without hard links, on which a new file with the name of the lock can be made or not. */
  const withoutLinks = (made: "can be made" | "cannot be made") =>
    Effect.acquireRelease(
      Effect.sync(() => {
        vi.spyOn(nodeFs, "link").mockRejectedValue(failing("EPERM"))
        if (made === "cannot be made") {
          const { open, writeFile } = nodeFs
          const isNewLock = (path: unknown, flag: unknown) => String(path).endsWith(".lock") && flag === "wx"
          vi.spyOn(nodeFs, "open").mockImplementation((path, flag, mode) =>
            isNewLock(path, flag) ? Promise.reject(failing("EMFILE")) : open(path, flag, mode)
          )
          vi.spyOn(nodeFs, "writeFile").mockImplementation((path, data, options) =>
            isNewLock(path, typeof options === "object" ? options?.flag : undefined)
              ? Promise.reject(failing("EMFILE"))
              : writeFile(path, data, options)
          )
        }
        syncBuiltinESMExports()
      }),
      () =>
        Effect.sync(() => {
          vi.restoreAllMocks()
          syncBuiltinESMExports()
        })
    )

  it.live("no hard links, many start at the same time -> one gets it, and releases it", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        yield* withoutLinks("can be made")
        const scope = yield* Scope.make()
        const results = yield* Effect.all(
          Array.from({ length: 20 }, () => Effect.either(Scope.extend(Lock.make(file, silent), scope))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(results.filter(Either.isRight).length, 1)
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(yield* fs.exists(`${file}.lock`))
      }).pipe(Effect.scoped)
    ))

  it.live("no hard links, and too many files are open -> the lock of another holder stays", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        yield* Lock.make(file, silent)
        yield* withoutLinks("cannot be made")
        assert.isTrue(Either.isLeft(yield* Effect.either(Effect.scoped(Lock.make(file, silent)))))
        assert.isTrue(yield* fs.exists(`${file}.lock`))
      }).pipe(Effect.scoped)
    ))

  it.live("many start at the same time -> one gets it, and releases it", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const scope = yield* Scope.make()
        const results = yield* Effect.all(
          Array.from({ length: 20 }, () => Effect.either(Scope.extend(Lock.make(file, silent), scope))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(results.filter(Either.isRight).length, 1)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* fs.readDirectory(file.replace(/out$/, "")), [])
      })
    ))

  it.live("many find the lock of a dead process -> one gets it", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        for (let round = 0; round < 10; round++) {
          yield* fs.writeFileString(`${file}.lock`, String(gone()))
          const scope = yield* Scope.make()
          const results = yield* Effect.all(
            Array.from({ length: 8 }, () => Effect.either(Scope.extend(Lock.make(file, silent), scope))),
            { concurrency: "unbounded" }
          )
          assert.strictEqual(results.filter(Either.isRight).length, 1)
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(yield* fs.readDirectory(file.replace(/out$/, "")), [])
        }
      })
    ))

  it.live("a process id of another namespace -> the time of the last update decides", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        // dead in this namespace, and fresh: it may live in its own
        yield* fs.writeFileString(`${file}.lock`, holder({ pid: gone() }))
        const waits: Array<string> = []
        const early = yield* Effect.scoped(Lock.make(file, (message) => Effect.sync(() => void waits.push(message))))
          .pipe(Effect.timeoutOption("1 second"))
        assert.isTrue(Option.isNone(early))
        assert.include(waits.join(), "is held by process")
        // alive in this namespace, and old: it is another process that has the same id
        const past = new Date(0)
        yield* fs.writeFileString(`${file}.lock`, holder({}))
        yield* fs.utimes(`${file}.lock`, past, past)
        assert.isDefined(yield* Effect.scoped(Lock.make(file, silent)))
      })
    ))

  it.live("a lock that is being updated -> refused, with its holder", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(`${file}.lock`, holder({}))
        const updating = yield* Effect.fork(Effect.repeat(
          Effect.uninterruptible(fs.writeFileString(`${file}.lock`, holder({}))),
          Schedule.spaced("100 millis")
        ))
        const refused = yield* Effect.flip(Effect.scoped(Lock.make(file, silent)))
        // nothing may be written any more when the directory is removed
        yield* Fiber.interrupt(updating)
        assert.include(refused.message, `is being written by process ${process.pid} on other since 2026`)
      })
    ))

  it.live("a process with the id of a dead one -> recognized by its start time", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const own = yield* Effect.scoped(
          Effect.zipRight(Lock.make(file, silent), fs.readFileString(`${file}.lock`))
        )
        yield* fs.writeFileString(`${file}.lock`, own)
        assert.include((yield* Effect.flip(Effect.scoped(Lock.make(file, silent)))).message, "is being written")
        const { born, ...rest } = JSON.parse(own)
        // elsewhere than on Linux nobody says when it began
        if (born === "") return
        yield* fs.writeFileString(`${file}.lock`, JSON.stringify({ ...rest, born: "1" }))
        assert.isDefined(yield* Effect.scoped(Lock.make(file, silent)))
      })
    ))

  it.scopedLive("stopped for so long that another process took over -> writes nothing more", () =>
    inDirectory((file) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const clock = yield* Effect.clock
        let later = 0
        yield* Effect.gen(function*() {
          const lock = yield* Lock.make(file, silent)
          yield* lock.check
          yield* fs.writeFileString(`${file}.lock`, holder({}))
          later = 3_600_000
          assert.include((yield* Effect.flip(lock.check)).message, "was taken over by process")
        }).pipe(
          Effect.scoped,
          Effect.withClock({
            ...clock,
            currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + later),
            sleep: () => Effect.never
          })
        )
        assert.include(yield* fs.readFileString(`${file}.lock`), "\"n\"")
      })
    ))
})
