import * as AutoCorrect from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Either from "effect/Either"
import type { NotPossible } from "./errors.js"
import { notPossible } from "./errors.js"
import type { About } from "./flags.js"

/** The one of these words that was probably meant. */
export const nearest = (word: string, words: ReadonlyArray<string>): string | undefined => {
  let best: string | undefined = undefined
  // a third of the letters may be wrong; two, so that letters in the wrong order are found
  let least = Math.max(2, Math.floor(word.replace(/^-+/, "").length / 3)) + 1
  for (const each of words) {
    const distance = AutoCorrect.levensteinDistance(word, each, CliConfig.defaultConfig)
    if (distance < least) {
      least = distance
      best = each
    }
  }
  return best ?? (word.length > 3 ? words.find((each) => each.startsWith(word)) : undefined)
}

/** `; did you mean --title?`, where something is near. */
export const suggestion = (word: string, words: ReadonlyArray<string>): string => {
  const near = nearest(word, words)
  return near === undefined ? "" : `: did you mean ${near}?`
}

/**
 * Checks what was typed after a subcommand against its options and arguments, and puts it in the order that
 * `@effect/cli` reads without guessing: options first, each followed by its value, then `--` and the arguments. So a
 * value may begin with a dash, and every message names the option in question.
 */
export const normalize = (
  command: string,
  abouts: ReadonlyArray<About>,
  args: ReadonlyArray<string>
): Either.Either<ReadonlyArray<string>, NotPossible> => {
  const options = new Map(abouts.filter(({ kind }) => kind === "option").map((about) => [about.name, about]))
  const positions = abouts.filter(({ kind }) => kind === "argument")
  const given = new Set<string>()
  const before: Array<string> = []
  const after: Array<string> = []
  const refuse = (message: string) => Either.left(notPossible(message))
  const see = `See ${command} --help.`
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? ""
    if (word === "--") {
      after.push(...args.slice(i + 1))
      break
    }
    // a single dash is standard input
    if (!word.startsWith("-") || word === "-") {
      after.push(word)
      continue
    }
    const equals = word.startsWith("--") ? word.indexOf("=") : -1
    const name = equals === -1 ? word : word.slice(0, equals)
    const about = options.get(name)
    if (about === undefined) {
      const near = name.length < 4
        ? ""
        : suggestion(name.startsWith("--") ? name : `-${name}`, Array.from(options.keys()))
      return refuse(`There is no option ${name}${near === "" ? `. ${see}` : near}`)
    }
    if (given.has(name) && !about.repeated) return refuse(`${name} is given twice`)
    given.add(name)
    if (about.value === undefined) {
      const value = equals === -1 ? "true" : word.slice(equals + 1)
      if (value !== "true" && value !== "false") return refuse(`${name} takes no value, but has '${value}'`)
      before.push(name, value)
      continue
    }
    const value = equals === -1 ? args[++i] : word.slice(equals + 1)
    if (value === undefined) return refuse(`${name}: the value is missing: ${name} ${about.value}`)
    // "--title --body x" has forgotten the title; "--title=--body" has not
    if (equals === -1 && options.has(value)) {
      return refuse(
        `${name}: the value is missing before ${value}. If it is meant to be the value, write ${name}=${value}`
      )
    }
    if (about.choices !== undefined && !about.choices.includes(value)) {
      return refuse(
        `${name}: '${value}' is none of ${about.choices.join(", ")}${suggestion(value, about.choices)}`
      )
    }
    const problem = about.problem?.(value)
    if (problem !== undefined) return refuse(`${name}: ${problem}`)
    before.push(name, value)
  }
  for (const about of options.values()) {
    if (about.required && !given.has(about.name)) {
      return refuse(`${about.name} ${about.value} is missing: ${sentence(about.text)} ${see}`)
    }
  }
  const missing = positions[after.length]
  if (missing !== undefined) return refuse(`${missing.name} is missing: ${sentence(missing.text)} ${see}`)
  const extra = after[positions.length]
  if (extra !== undefined) {
    return refuse(
      `'${extra}' is one argument too many` +
        (positions.length === 0
          ? `: ${command} takes none.`
          : `: ${command} takes ${positions.map(({ name }) => name).join(" and ")}. Words with spaces need quotes.`) +
        ` ${see}`
    )
  }
  return Either.right(after.length === 0 ? before : [...before, "--", ...after])
}

const sentence = (text: string): string => /[.?!]$/.test(text) ? text : `${text}.`
