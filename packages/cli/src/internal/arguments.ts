import * as Printable from "@effect-apns/models/Printable"
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

/** What other commands call the options of this one, and what people try first. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ...["message", "msg", "text", "alert", "content"].map((name) => [`--${name}`, "--body"] as const),
  ...["bundle", "bundle-id", "bundle-identifier", "app", "app-id"].map((name) => [`--${name}`, "--topic"] as const),
  ...["dev", "development", "debug"].map((name) => [`--${name}`, "--sandbox"] as const),
  ...["env", "environment", "host", "server", "url"].map((name) => [`--${name}`, "--endpoint"] as const),
  ...["data", "json-file", "payload-file", "aps"].map((name) => [`--${name}`, "--payload"] as const),
  ...["output", "results", "log", "journal"].map((name) => [`--${name}`, "--out"] as const),
  ...["type", "apns-push-type"].map((name) => [`--${name}`, "--push-type"] as const),
  ...["ttl", "expiry", "expires", "apns-expiration"].map((name) => [`--${name}`, "--expiration"] as const),
  ...["id", "uuid"].map((name) => [`--${name}`, "--apns-id"] as const),
  ...["collapse", "apns-collapse-id"].map((name) => [`--${name}`, "--collapse-id"] as const),
  ...["connections", "pool-size"].map((name) => [`--${name}`, "--size"] as const),
  ...["parallel", "workers", "jobs"].map((name) => [`--${name}`, "--concurrency"] as const),
  ["--check", "--dry-run"],
  ["--validate", "--dry-run"],
  ["--simulate", "--dry-run"],
  ["--resume", "--out"],
  ["--apns-topic", "--topic"],
  ["--apns-priority", "--priority"]
])

/** What is an argument here, and an option elsewhere. */
const argumentOf: ReadonlyMap<string, string> = new Map([
  ...["token", "device-token", "device", "to", "registration-token"].map((name) => [`--${name}`, "TOKEN"] as const),
  ...["tokens", "token-file", "tokens-file", "file", "input", "in"].map((name) => [`--${name}`, "TOKENS"] as const),
  ...["channel", "channel-id"].map((name) => [`--${name}`, "CHANNEL"] as const)
])

/** What comes from the environment, since other users see the arguments of a process. */
const variableOf: ReadonlyMap<string, string> = new Map([
  ...["key", "key-file", "p8", "auth-key", "private-key"].map((name) => [`--${name}`, "APNS_KEY_FILE"] as const),
  ["--key-id", "APNS_KEY_ID"],
  ["--team-id", "APNS_TEAM_ID"],
  ["--team", "APNS_TEAM_ID"],
  ["--cert", "APNS_CERT_FILE"],
  ["--certificate", "APNS_CERT_FILE"],
  ["--p12", "APNS_P12_FILE"],
  ["--pfx", "APNS_P12_FILE"],
  ["--passphrase", "APNS_CERT_PASSPHRASE"],
  ["--password", "APNS_CERT_PASSPHRASE"],
  ["--proxy", "APNS_PROXY"]
])

/** What was probably meant by an option that there is not. */
const meant = (
  command: string,
  name: string,
  options: ReadonlyArray<string>,
  positions: ReadonlyArray<About>
): string | undefined => {
  const argument = positions.find((about) => about.name === argumentOf.get(name))
  if (argument !== undefined) {
    return `: ${argument.name} is an argument, write ${command} ${positions.map(({ name }) => name).join(" ")} ...`
  }
  const variable = variableOf.get(name)
  if (variable !== undefined && !options.includes(name)) {
    return `: credentials and proxies come from the environment, set ${variable} (see apns help environment)`
  }
  const synonym = synonyms.get(name)
  if (synonym !== undefined && options.includes(synonym)) return `: did you mean ${synonym}?`
  if (["--prod", "--production"].includes(name) && options.includes("--sandbox")) {
    return ": production is where it sends without --sandbox"
  }
  return undefined
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
      const hint = meant(command, name, Array.from(options.keys()), positions) ?? near
      return refuse(`There is no option ${Printable.text(name, 60)}${hint === "" ? `. ${see}` : hint}`)
    }
    if (given.has(name) && !about.repeated) return refuse(`${name} is given twice`)
    given.add(name)
    if (about.value === undefined) {
      const value = equals === -1 ? "true" : word.slice(equals + 1)
      if (value !== "true" && value !== "false") {
        return refuse(`${name} takes no value, but has '${Printable.text(value, 60)}'`)
      }
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
    if (value.trim() === "" && !about.mayBeEmpty) {
      // nearly always a variable of the shell that is not set
      return refuse(
        `${name}: the value is empty. Give ${about.value}${about.required ? "" : `, or leave ${name} out`}: ${
          sentence(about.text)
        }`
      )
    }
    if (about.choices !== undefined && !about.choices.includes(value)) {
      return refuse(
        `${name}: '${Printable.text(value, 60)}' is none of ${about.choices.join(", ")}${
          suggestion(value, about.choices)
        }`
      )
    }
    const problem = about.problem?.(value)
    if (problem !== undefined) return refuse(`${name}: ${problem}`)
    before.push(name, value)
  }
  for (const about of options.values()) {
    if (about.required && !given.has(about.name) && !(about.unless !== undefined && given.has(about.unless))) {
      return refuse(`${about.name} ${about.value} is missing: ${sentence(about.text)} ${see}`)
    }
  }
  const missing = positions[after.length]
  if (missing !== undefined) return refuse(`${missing.name} is missing: ${sentence(missing.text)} ${see}`)
  const empty = positions.find((_, i) => after[i]?.trim() === "")
  if (empty !== undefined) return refuse(`${empty.name} is empty: ${sentence(empty.text)} ${see}`)
  const extra = after[positions.length]
  if (extra !== undefined) {
    return refuse(
      `'${Printable.text(extra, 60)}' is one argument too many` +
        (positions.length === 0
          ? `: ${command} takes none.`
          : `: ${command} takes ${positions.map(({ name }) => name).join(" and ")}. Words with spaces need quotes.`) +
        ` ${see}`
    )
  }
  return Either.right(after.length === 0 ? before : [...before, "--", ...after])
}

const sentence = (text: string): string => /[.?!]$/.test(text) ? text : `${text}.`
