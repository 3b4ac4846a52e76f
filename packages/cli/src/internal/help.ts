import wrapAnsi from "wrap-ansi"
import type { About } from "./flags.js"

/** The help of a command. */
export interface Help {
  /** As it is typed: `apns send`. */
  readonly name: string
  readonly what: string
  readonly abouts: ReadonlyArray<About>
  readonly examples: ReadonlyArray<readonly [command: string, effect: string]>
  /** Paragraphs for `--help-all`. */
  readonly notes?: ReadonlyArray<string>
  /** Commands below this one. */
  readonly commands?: ReadonlyArray<readonly [name: string, summary: string]>
}

/** Lines for a screen with this number of columns. */
export type Part = (columns: number) => ReadonlyArray<string>

const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`

/** Words, as many in a line as there is room for; a word is broken only if it is longer than a line. */
const wrap = (text: string, columns: number): ReadonlyArray<string> =>
  wrapAnsi(text, Math.max(10, columns), { hard: true }).split("\n")

const indent = (
  lines: ReadonlyArray<string>,
  first: string,
  others = " ".repeat(first.length)
): ReadonlyArray<string> => lines.map((line, i) => (i === 0 ? first : others) + line)

/** A paragraph. */
export const flowing = (text: string): Part => (columns) => wrap(text, columns)

export const heading = (text: string): Part => (columns) => wrap(text, columns).map(bold)

export const stack = (...parts: ReadonlyArray<Part>): Part => (columns) => parts.flatMap((part) => part(columns))

/** Parts, with an empty line between them. */
export const sections = (...parts: ReadonlyArray<Part | undefined>): Part => (columns) =>
  parts.filter((part) => part !== undefined).flatMap((part, i) => [...i === 0 ? [] : [""], ...part(columns)])

/** A command to copy: it is only wrapped if the screen is narrower. */
export const command = (text: string): Part => (columns) => indent(wrap(text, columns - 4), "  ", "    ")

/** On narrower screens the second column is below the first. */
const twoColumns = 60

/** Names, each with what it means. */
export const table = (rows: ReadonlyArray<readonly [string, string]>): Part => (columns) => {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  return rows.flatMap(([name, meaning]) =>
    columns < twoColumns
      ? [...indent(wrap(name, columns - 2).map(bold), "  "), ...indent(wrap(meaning, columns - 6), "      ")]
      : indent(
        wrap(meaning, columns - width - 2),
        `  ${bold(name)}${" ".repeat(width - name.length)}`,
        " ".repeat(width + 2)
      )
  )
}

/** Longer lines are hard to read. */
const widest = 100

export const render = (part: Part, columns: number): string => part(Math.min(columns, widest)).join("\n")

const nameOf = ({ name, value }: About): string => value === undefined ? name : `${name} ${value}`

const meaningOf = ({ choices, text }: About, all: boolean): string =>
  all && choices !== undefined ? `${text} (${choices.join(", ")})` : text

/**
 * The help of a command, for a screen of 24 lines and 80 columns: what is rarely needed is left out, unless `all` of it
 * is asked for.
 */
export const document = (help: Help, all: boolean): Part => {
  const { abouts, commands, examples, name, notes, what } = help
  const positions = abouts.filter(({ kind }) => kind === "argument")
  const options = abouts.filter(({ kind }) => kind === "option")
  const shown = options.filter(({ rare }) => all || !rare)
  const required = options.filter((about) => about.required)
  const usage = [
    name,
    ...positions.map(({ name }) => name),
    ...required.map(nameOf),
    ...commands === undefined ? [] : ["COMMAND"],
    ...options.length > required.length ? ["[options]"] : []
  ].join(" ")
  const more = options.length > shown.length || (!all && notes !== undefined)
  return sections(
    flowing(what),
    (columns) => indent(wrap(usage, columns - 7), `${bold("Usage:")} `, "       "),
    commands === undefined ? undefined : table(commands),
    positions.length + shown.length === 0
      ? undefined
      : table([...positions, ...shown].map((about) => [nameOf(about), meaningOf(about, all)])),
    ...all ? (notes ?? []).map(flowing) : [],
    stack(
      heading(examples.length === 1 ? "Example" : "Examples"),
      ...(all ? examples : examples.slice(0, 2)).flatMap(([text, effect]): ReadonlyArray<Part> => [
        command(text),
        (columns) => indent(wrap(effect, columns - 6), "      ")
      ])
    ),
    more ? flowing(`${name} --help-all shows all ${options.length} options.`) : undefined
  )
}
