import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

const newline = 10

/** Longer lines are no device tokens, and no lines that `apns bulk` has written. */
export const maxLineBytes = 1024 * 1024

/** Cuts bytes into lines; holds no more than one line. */
export class LineSplitter {
  private readonly decoder = new TextDecoder()
  private rest: Uint8Array = new Uint8Array(0)
  /** Bytes up to the end of the last complete line. */
  complete = 0

  /** The lines that these bytes complete, without their ends; `undefined` when the line that goes on is too long. */
  push(bytes: Uint8Array): ReadonlyArray<string> | undefined {
    const end = bytes.lastIndexOf(newline) + 1
    if (end === 0) {
      if (this.rest.length + bytes.length > maxLineBytes) return undefined
      this.rest = Buffer.concat([this.rest, bytes])
      return []
    }
    const text = this.decoder.decode(Buffer.concat([this.rest, bytes.subarray(0, end)]))
    this.complete += this.rest.length + end
    this.rest = bytes.slice(end)
    const lines = text.split("\n")
    lines.pop()
    return lines
  }

  /** Bytes after the last line end. */
  get tornBytes(): number {
    return this.rest.length
  }

  /** What stands after the last line end. */
  get torn(): string {
    return this.decoder.decode(this.rest)
  }
}

const beginsWith = (bytes: Uint8Array, ...first: ReadonlyArray<number>): boolean =>
  first.every((byte, i) => bytes[i] === byte)

/** What an input is that holds text in a way that is not read here, and what to do about it. */
export const notPlain = (bytes: Uint8Array): string | undefined =>
  beginsWith(bytes, 0xff, 0xfe) || beginsWith(bytes, 0xfe, 0xff)
    ? "it is UTF-16, as PowerShell writes: convert it, such as by iconv -f UTF-16 -t UTF-8"
    : beginsWith(bytes, 0x1f, 0x8b)
    ? "it is compressed: pass it through gzip -dc, and give - for standard input"
    : beginsWith(bytes, 0x50, 0x4b, 0x03, 0x04)
    ? "it is a ZIP archive, as spreadsheets are: export it as text, a token on each line"
    : undefined

/** The bytes of an input, unless its beginning shows that it is no plain text. */
export const plain = <E, E2, R>(
  input: Stream.Stream<Uint8Array, E, R>,
  refuse: (why: string) => E2
): Stream.Stream<Uint8Array, E | E2, R> =>
  Stream.suspend(() => {
    let isFirst = true
    return Stream.mapEffect(input, (bytes): Effect.Effect<Uint8Array, E2> => {
      const why = isFirst ? notPlain(bytes) : undefined
      isFirst = false
      return why === undefined ? Effect.succeed(bytes) : Effect.fail(refuse(why))
    })
  })

/** A line of the input: its number counts all lines, from 1. */
export interface TokenLine {
  readonly line: number
  readonly token: string
}

/**
 * The tokens of an input, one a line; empty lines and comments (`#`) are skipped, and count as lines. Memory does not
 * grow with the input. `onBytes` hears how far the input was read.
 */
export const tokens = <E, E2, R>(
  input: Stream.Stream<Uint8Array, E, R>,
  tooLong: (line: number) => E2,
  onBytes: (bytes: number) => void
): Stream.Stream<TokenLine, E | E2, R> =>
  Stream.suspend(() => {
    const splitter = new LineSplitter()
    let line = 0
    const parse = (lines: ReadonlyArray<string>): Chunk.Chunk<TokenLine> => {
      const found: Array<TokenLine> = []
      for (const text of lines) {
        line++
        const token = text.trim()
        if (token !== "" && !token.startsWith("#")) found.push({ line, token })
      }
      return Chunk.unsafeFromArray(found)
    }
    return input.pipe(
      Stream.mapEffect((bytes) => {
        onBytes(bytes.length)
        const lines = splitter.push(bytes)
        return lines === undefined ? Effect.fail(tooLong(line + 1)) : Effect.succeed(parse(lines))
      }),
      Stream.concat(Stream.sync(() => parse(splitter.torn === "" ? [] : [splitter.torn]))),
      Stream.flattenChunks
    )
  })
