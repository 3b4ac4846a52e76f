import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { apns, directory } from "./utils/harness.js"

/** What was typed, the last word being unfinished, and what the shell offers for it: all of it, or some. */
const rows: ReadonlyArray<readonly [typed: ReadonlyArray<string>, offered: ReadonlyArray<string>, all: boolean]> = [
  [["se"], ["send"], true],
  [["ou"], ["outbox"], true],
  [["send", "--ti"], ["--timeout", "--title"], true],
  [["send", "--push-type", ""], ["alert", "background", "liveactivity", "voip"], false],
  [["send", "--push-type", "l"], ["liveactivity", "location"], true],
  [["send", "--title", "send", "--dry"], ["--dry-run"], true],
  [["send", "0123", "--body", "x", "--sand"], ["--sandbox"], true],
  [["bulk", "--drop"], ["--drop-duplicates"], true],
  [["channels", "cr"], ["create"], true],
  [["channels", "create", "--bun"], ["--bundle-id"], true],
  [["channels", "create", "--nothing"], [], true],
  [["outbox", "en"], ["enqueue"], true],
  [["outbox", "enqueue", "--bo"], ["--body"], true],
  [["--completions", ""], ["bash", "fish", "zsh"], true],
  [["send", "--help"], ["--help", "--help-all"], true]
]

const run = (shell: string, ...args: ReadonlyArray<string>): string =>
  String(spawnSync(shell, [...args], { encoding: "utf8", timeout: 20_000 }).stdout)

const drivers: Record<string, (script: string, typed: ReadonlyArray<string>) => ReadonlyArray<string>> = {
  bash: (script, typed) =>
    run(
      "bash",
      "--norc",
      "-c",
      "source \"$0\"; COMP_WORDS=(apns \"$@\"); COMP_CWORD=$#; _apns; printf '%s\\n' \"${COMPREPLY[@]}\"",
      script,
      ...typed
    ).split("\n"),
  // zsh completes in an editor alone: what the function hands over is matched here
  zsh: (script, typed) =>
    run(
      "zsh",
      "-f",
      "-c",
      "compdef() { :; }; compadd() { print -l -- $found; }; _describe() { print -l -- ${found%%:*}; }; _files() { :; }; " +
        "source \"$0\"; words=(apns \"$@\"); CURRENT=$(( $# + 1 )); _apns",
      script,
      ...typed
    ).split("\n").filter((word) => word.startsWith(typed.at(-1) ?? "")),
  fish: (script, typed) =>
    run(
      "fish",
      "--no-config",
      "-c",
      "source $argv[1]; complete -C $argv[2]",
      script,
      ["apns", ...typed].map((word) => word === "" ? "" : word).join(" ")
    ).split("\n").map((line) => line.split("\t")[0] ?? "")
}

const isHere = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0

// said once each, so that nobody takes a skipped test for a passed one
for (const shell of Object.keys(drivers)) {
  if (!isHere(shell)) console.warn(`${shell} is not installed: its completions are not tried`)
}

describe("completions", () => {
  for (const [shell, complete] of Object.entries(drivers)) {
    it.scopedLive.skipIf(!isHere(shell))(`are what ${shell} offers`, () =>
      Effect.gen(function*() {
        const script = `${yield* directory}/completions`
        writeFileSync(script, (yield* apns(["--completions", shell])).out)
        for (const [typed, expected, all] of rows) {
          const offered = Array.from(new Set(complete(script, typed).filter((word) => word !== ""))).sort()
          const what = `apns ${typed.join(" ")}`
          if (all) assert.deepStrictEqual(offered, [...expected].sort(), what)
          else assert.includeMembers(offered, [...expected], what)
        }
      }).pipe(Effect.provide(NodeContext.layer)))
  }
})
