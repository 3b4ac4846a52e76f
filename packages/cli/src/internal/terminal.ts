import { stripVTControlCharacters } from "node:util"
import stringWidth from "string-width"
import wrapAnsi from "wrap-ansi"

/** Where the command speaks to a person: standard error, and whatever shares its screen. */
export interface Terminal {
  /** Lines can be redrawn. */
  readonly isLive: boolean
  readonly columns: () => number
  /** Columns of what {@link result} writes to. */
  readonly resultColumns: () => number
  /** Shows this as the last line, instead of what was shown there before; `undefined` for none. */
  readonly show: (line: string | undefined) => void
  /** Writes whole lines, above the line that is shown. */
  readonly print: (text: string) => void
  /** Breaks a text for people between its words, where {@link result} writes to a screen. */
  readonly fit: (text: string) => string
  /**
   * As {@link fit}, for one line that is followed by others of its kind: its further lines begin with `indent`, and words that
   * are longer than the screen are broken.
   */
  readonly hang: (text: string, indent: string) => string
  /** As {@link print}, to standard output, which is the same screen more often than not. */
  readonly result: (text: string) => void
}

export interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

type Environment = Readonly<Record<string, string | undefined>>

/** `FORCE_COLOR` wins over `NO_COLOR`, as in Node itself; without either, terminals that are not dumb have colors. */
export const hasColors = (stream: Stream, environment: Environment): boolean => {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = environment
  if (force !== undefined) return force !== "0" && force !== "false"
  return (no === undefined || no === "") && stream.isTTY === true && term !== "dumb"
}

const least = 20
const otherwise = 80

/** Columns of a terminal; 80 where there is none. */
export const columnsOf = (stream: Stream): number =>
  stream.isTTY === true && stream.columns !== undefined && stream.columns > 0
    ? Math.max(least, stream.columns)
    : otherwise

const eraseLine = "\r\u001b[K"

// what colors and styles are made of stays; what else moves a cursor, clears a screen or rings is shown as it is written
// eslint-disable-next-line no-control-regex
const controls = /\u001b\[[0-9;]*m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

const harmless = (text: string): string =>
  text.replace(
    controls,
    (found) => found.length > 1 ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

/** A line that is too long is broken between words; what follows is indented as the line is. */
const fitLine = (line: string, columns: number): string => {
  if (stringWidth(line) <= columns) return line
  const indent = /^ */.exec(line)?.[0] ?? ""
  return indent + wrapAnsi(line.slice(indent.length), columns - indent.length).replaceAll("\n", `\n${indent}`)
}

export const make = (options: {
  readonly stdout: Stream
  readonly stderr: Stream
  readonly environment: Environment
}): Terminal => {
  const { environment, stderr, stdout } = options
  const isLive = stderr.isTTY === true && environment["TERM"] !== "dumb"
  let shown: string | undefined = undefined
  const fit = (stream: Stream, text: string): string =>
    stream.isTTY === true
      ? text.split("\n").map((line) => fitLine(line, columnsOf(stream))).join("\n")
      : text
  const writer = (stream: Stream, fitted: (text: string) => string) => {
    const colors = hasColors(stream, environment)
    return (given: string) => {
      const text = fitted(given)
      if (shown !== undefined) stderr.write(eraseLine)
      stream.write(harmless(colors ? text : stripVTControlCharacters(text)) + "\n")
      if (shown !== undefined) stderr.write(shown)
    }
  }
  return {
    isLive,
    columns: () => columnsOf(stderr),
    resultColumns: () => columnsOf(stdout),
    show: (line) => {
      if (!isLive || line === shown) return
      shown = line
      stderr.write(eraseLine + (line ?? ""))
    },
    print: writer(stderr, (text) => fit(stderr, text)),
    fit: (text) => fit(stdout, text),
    hang: (text, indent) =>
      stdout.isTTY === true
        ? wrapAnsi(text, columnsOf(stdout) - indent.length, { hard: true }).replaceAll("\n", `\n${indent}`)
        : text,
    // lines to copy, and JSON, stay as they are
    result: writer(stdout, (text) => text)
  }
}

/** The terminal of this process. */
export const standard: Terminal = make({ stdout: process.stdout, stderr: process.stderr, environment: process.env })
