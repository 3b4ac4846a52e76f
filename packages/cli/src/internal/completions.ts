import type { About } from "./flags.js"
import type { Subcommand } from "./subcommand.js"

/** A command, or a group of them, by the words that lead to it. */
interface Place {
  /** `send`, `channels create`; nothing for the command itself. */
  readonly at: string
  /** What can be typed next, with what it means. */
  readonly words: ReadonlyArray<readonly [word: string, meaning: string]>
  readonly options: ReadonlyArray<About>
  /** Its argument is the name of a file. */
  readonly takesFile: boolean
}

export const shells = ["bash", "zsh", "fish"] as const
export type Shell = typeof shells[number]

const help: ReadonlyArray<readonly [string, string]> = [
  ["--help", "what is mostly needed"],
  ["--help-all", "every option"]
]

const placesOf = (at: string, { commands, help: { abouts, commands: below } }: Subcommand): ReadonlyArray<Place> => {
  const options = abouts.filter(({ kind }) => kind === "option")
  return [
    {
      at,
      words: [...below ?? [], ...options.map(({ name, text }) => [name, text] as const), ...help],
      options,
      takesFile: abouts.some(({ kind, name }) => kind === "argument" && name === "TOKENS")
    },
    ...Array.from(commands).flatMap(([name, subcommand]) => placesOf(`${at} ${name}`, subcommand))
  ]
}

/** Everything that can be typed. */
const everything = (
  entries: ReadonlyArray<readonly [name: string, summary: string, subcommand: Subcommand]>
): ReadonlyArray<Place> => [
  {
    at: "",
    words: [
      ...entries.map(([name, summary]) => [name, summary] as const),
      ["help", "the help of a command, or of the environment"],
      ["--help", "how to begin"],
      ["--version", "which version this is"],
      ["--completions", "a script for bash, zsh or fish"]
    ],
    options: [],
    takesFile: false
  },
  ...entries.flatMap(([name, , subcommand]) => placesOf(name, subcommand))
]

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** What is matched by the place so far and the next word: the commands. */
const steps = (places: ReadonlyArray<Place>): ReadonlyArray<string> =>
  places.filter(({ at }) => at !== "").map(({ at }) => at.includes(" ") ? at : ` ${at}`)

type Value = "file" | "directory" | "text" | ReadonlyArray<string>

const valueOf = ({ choices, value }: About): Value | undefined =>
  choices ?? (value === undefined ? undefined : value === "FILE" ? "file" : value === "DIR" ? "directory" : "text")

/** The options that take a value, by what it is: the place and the option, and what to do there. */
const values = (places: ReadonlyArray<Place>): ReadonlyArray<readonly [string, Value]> =>
  places.flatMap(({ at, options }) =>
    options.flatMap((about) => {
      const value = valueOf(about)
      return value === undefined ? [] : [[`${at} ${about.name}`, value] as const]
    })
  )

const bash = (places: ReadonlyArray<Place>): string => {
  // nothing found means the names of files
  const textOnly = "compopt +o default +o bashdefault 2>/dev/null; return"
  const ofValue = (value: Value): string =>
    typeof value === "string"
      ? value === "text" ? textOnly : "return"
      : `COMPREPLY=($(compgen -W ${quoted(value.join(" "))} -- "$cur")); return`
  return `_apns() {
  local cur prev at words i
  cur="\${COMP_WORDS[COMP_CWORD]}"
  prev="\${COMP_WORDS[COMP_CWORD-1]}"
  at=""
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${steps(places).map(quoted).join("|")}) at="\${at:+$at }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
    " --completions") COMPREPLY=($(compgen -W ${quoted(shells.join(" "))} -- "$cur")); return ;;
${values(places).map(([place, value]) => `    ${quoted(place)}) ${ofValue(value)} ;;`).join("\n")}
  esac
  case "$at" in
${
    places.map(({ at, takesFile, words }) =>
      `    ${quoted(at)}) ${takesFile ? "[[ $cur == -* ]] || return; " : ""}words=${
        quoted(words.map(([word]) => word).join(" "))
      } ;;`
    ).join("\n")
  }
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _apns apns`
}

const zsh = (places: ReadonlyArray<Place>): string => {
  const ofValue = (value: Value): string =>
    value === "file"
      ? "_files; return"
      : value === "directory"
      ? "_files -/; return"
      : value === "text"
      ? "return 1"
      : `found=(${value.map(quoted).join(" ")}); compadd -a found; return`
  return `#compdef apns
_apns() {
  local at="" i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      (${steps(places).map(quoted).join("|")}) at="\${at:+$at }\${words[i]}" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
    (" --completions") found=(${shells.join(" ")}); compadd -a found; return ;;
${values(places).map(([place, value]) => `    (${quoted(place)}) ${ofValue(value)} ;;`).join("\n")}
  esac
  case "$at" in
${
    places.map(({ at, takesFile, words }) =>
      `    (${quoted(at)}) ${takesFile ? "[[ ${words[CURRENT]} == -* ]] || { _files; return }; " : ""}found=(${
        words.map(([word, meaning]) => quoted(`${word}:${meaning}`)).join(" ")
      }) ;;`
    ).join("\n")
  }
  esac
  _describe apns found
}
if [ "\${funcstack[1]}" = _apns ]; then _apns "$@"; else compdef _apns apns; fi`
}

const fish = (places: ReadonlyArray<Place>): string => {
  const text = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`
  const ofValue = (value: Value | undefined): string =>
    value === undefined
      ? ""
      : value === "file"
      ? " -r -F"
      : value === "directory"
      ? " -x -a '(__fish_complete_directories)'"
      : value === "text"
      ? " -x"
      : ` -x -a ${text(value.join(" "))}`
  const lines = places.flatMap(({ at, options, takesFile, words }) => {
    const here = `complete -c apns -n ${text(`__apns_at ${text(at)}`)}`
    const named = new Map(options.map((about) => [about.name, about]))
    return [
      ...takesFile ? [`${here} -F`] : [],
      ...words.map(([word, meaning]) => {
        if (!word.startsWith("--")) return `${here} -f -a ${word} -d ${text(meaning)}`
        const about = named.get(word)
        const value = about === undefined
          ? word === "--completions" ? ` -x -a ${text(shells.join(" "))}` : ""
          : ofValue(valueOf(about))
        return `${here} -l ${word.slice(2)}${value} -d ${text(meaning)}`
      })
    ]
  })
  return `function __apns_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    switch "$at $word"
      case ${steps(places).map(text).join(" ")}
        set at (string trim -- "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
complete -c apns -f
${lines.join("\n")}`
}

const scripts = { bash, fish, zsh }

/** The script that teaches a shell what can be typed. */
export const script = (
  shell: Shell,
  entries: ReadonlyArray<readonly [name: string, summary: string, subcommand: Subcommand]>
): string => scripts[shell](everything(entries))
