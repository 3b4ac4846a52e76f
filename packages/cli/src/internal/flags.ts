import * as Printable from "@effect-apns/models/Printable"
import * as Args from "@effect/cli/Args"
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import { folderProblem, inputProblem, outputProblem } from "./files.js"

/**
 * What is known about an option or an argument: the help is written from it, and what was typed is checked against it.
 * `@effect/cli` keeps this to itself.
 */
export interface About {
  readonly kind: "argument" | "option"
  /** As it is typed: `--title`, or `TOKEN` for an argument. */
  readonly name: string
  /** What stands for the value in the help; `undefined` for an option that takes none. */
  readonly value: string | undefined
  readonly text: string
  /** Shown by `--help-all` only. */
  readonly rare: boolean
  readonly required: boolean
  /** The option with which this one need not be given. */
  readonly unless: string | undefined
  readonly repeated: boolean
  /** The only values there are. */
  readonly choices: ReadonlyArray<string> | undefined
  /** The value may be empty or blank: words to show. */
  readonly mayBeEmpty: boolean
  /** What is wrong with a value; `undefined` if nothing is. */
  readonly problem: ((value: string) => string | undefined) | undefined
}

interface Extra {
  readonly rare?: boolean
  readonly mayBeEmpty?: boolean
  readonly problem?: (value: string) => string | undefined
}

const known = new WeakMap<object, About>()

/** What was said about an option or an argument that was made here. */
export const about = (part: object): About | undefined => known.get(part)

const option = <A>(
  options: Options.Options<A>,
  name: string,
  value: string | undefined,
  text: string,
  more: Extra & Partial<Pick<About, "choices" | "repeated" | "required" | "unless">> = {}
): Options.Options<A> => {
  known.set(options, {
    kind: "option",
    name: `--${name}`,
    value,
    text,
    rare: more.rare ?? false,
    required: more.required ?? false,
    unless: more.unless,
    repeated: more.repeated ?? false,
    choices: more.choices,
    mayBeEmpty: more.mayBeEmpty ?? false,
    problem: more.problem
  })
  return options
}

/** An argument that must be given. */
export const argument = (name: string, text: string): Args.Args<string> => {
  const args = Args.text({ name }).pipe(Args.withDescription(text))
  known.set(args, {
    kind: "argument",
    name,
    value: undefined,
    text,
    rare: false,
    required: true,
    unless: undefined,
    repeated: false,
    choices: undefined,
    mayBeEmpty: false,
    problem: undefined
  })
  return args
}

/** An option with any text as its value. */
export const text = (name: string, value: string, text: string, more?: Extra): Options.Options<Option.Option<string>> =>
  option(
    Options.text(name).pipe(Options.withDescription(text), Options.withPseudoName(value), Options.optional),
    name,
    value,
    text,
    more
  )

/** As {@link text}, but it must be given. */
export const requiredText = (name: string, value: string, text: string): Options.Options<string> =>
  option(
    Options.text(name).pipe(Options.withDescription(text), Options.withPseudoName(value)),
    name,
    value,
    text,
    { required: true }
  )

/** As {@link text}, any number of times. */
export const texts = (name: string, value: string, text: string, more?: Extra): Options.Options<Array<string>> =>
  option(
    Options.text(name).pipe(Options.withDescription(text), Options.withPseudoName(value), Options.repeated),
    name,
    value,
    text,
    { ...more, repeated: true }
  )

const path = (
  name: string,
  value: "FILE" | "DIR",
  text: string,
  more: Parameters<typeof option>[4]
): Options.Options<Option.Option<string>> =>
  // as text: what is wrong with it is said with the option's name
  option(Options.text(name).pipe(Options.withDescription(text), Options.optional), name, value, text, more)

/** A file that is read; shells complete its name. */
export const file = (name: string, text: string, more?: Extra): Options.Options<Option.Option<string>> =>
  path(name, "FILE", text, { problem: inputProblem, ...more })

/** A file that is written, and must be given, unless another option is there. */
export const requiredFile = (name: string, text: string, unless: string): Options.Options<Option.Option<string>> =>
  path(name, "FILE", text, { problem: outputProblem, required: true, unless })

/** A folder, which need not be there. */
export const directory = (name: string, text: string, more?: Extra): Options.Options<Option.Option<string>> =>
  path(name, "DIR", text, { problem: folderProblem, ...more })

/** A whole number, at least `least` and at most `most`. */
export const whole = (
  name: string,
  text: string,
  least: number,
  more?: Extra,
  most = Number.MAX_SAFE_INTEGER
): Options.Options<Option.Option<number>> =>
  option(Options.integer(name).pipe(Options.withDescription(text), Options.optional), name, "N", text, {
    ...more,
    problem: (value) =>
      !/^-?\d{1,100}$/.test(value)
        ? `'${Printable.text(value, 40)}' is not a whole number`
        : BigInt(value) < least
        ? `${value} is too small: at least ${least}`
        : BigInt(value) > most
        ? `${value} is too large: at most ${most}${most === Number.MAX_SAFE_INTEGER ? ", which is 2^53 - 1" : ""}`
        : undefined
  })

/** A TCP port, or 0. */
export const port = (name: string, text: string): Options.Options<Option.Option<number>> =>
  whole(name, text, 0, undefined, 65_535)

/** One of a few words. */
export const choice = <const Choices extends ReadonlyArray<readonly [string, unknown]>>(
  name: string,
  value: string,
  text: string,
  choices: Choices,
  more?: Extra
): Options.Options<Option.Option<Choices[number][1]>> =>
  option(
    Options.choice(name, choices.map(([word]) => word)).pipe(
      Options.withDescription(text),
      Options.optional,
      Options.map(Option.map((word): Choices[number][1] => choices.find(([each]) => each === word)?.[1]))
    ),
    name,
    value,
    text,
    { ...more, choices: choices.map(([word]) => word) }
  )

/** An option that is there or not. */
export const toggle = (name: string, text: string, more?: Extra): Options.Options<boolean> =>
  option(Options.boolean(name).pipe(Options.withDescription(text)), name, undefined, text, more)
