/**
 * Shows the command in a real terminal (tmux) of several sizes, and fails where a line is longer than the screen, where
 * a help does not fit one of 24 lines, or where something is written onto the progress bar.
 *
 * Run it after a build: `npm run screens`. `npm run screens -- --show` prints what was seen.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const show = process.argv.includes("--show")
const bin = fileURLToPath(new URL("../packages/cli/build/command/bin.js", import.meta.url))

try {
  execFileSync("tmux", ["-V"], { stdio: "ignore" })
} catch {
  console.log("tmux is not here: the screens are not looked at")
  process.exit(0)
}

const work = mkdtempSync(join(tmpdir(), "apns-screens-"))
const socket = join(work, "tmux")
const tmux = (...args) =>
  execFileSync("tmux", ["-S", socket, "-f", "/dev/null", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"]
  })
const problems = []
let looks = 0

mkdirSync(join(work, "bin"))
writeFileSync(join(work, "bin", "apns"), `#!/bin/sh\nexec "${process.execPath}" "${bin}" "$@"\n`, { mode: 0o755 })

/** A terminal of this size with a shell in it. */
const terminal = (columns, rows, environment = {}) => {
  const variables = {
    ...environment,
    PS1: "[$?] $n$ ",
    TERM: "screen-256color"
  }
  const name = `${columns}x${rows}`
  try {
    tmux("kill-session", "-t", name)
  } catch {
    // there was none
  }
  tmux(
    "new-session",
    "-d",
    "-s",
    name,
    "-x",
    String(columns),
    "-y",
    String(rows),
    ...Object.entries(variables).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
    // tmux gives a window the PATH of whoever starts it, whatever -e says
    "env",
    `PATH=${join(work, "bin")}:${process.env.PATH}`,
    "sh"
  )
  tmux("send-keys", "-t", name, "-l", "PS1='[$?] $n$ '\n")
  /** The lines of the screen. A line that was too long, and goes on in the next row, is one line. */
  const lines = () =>
    tmux("capture-pane", "-p", "-J", "-t", name).replace(/\n+$/, "").split("\n").map((l) => l.trimEnd())
  const look = (what) => {
    const seen = lines()
    looks++
    if (show) console.log(`\n--- ${what}, ${name}\n${seen.join("\n")}`)
    for (const line of seen) {
      // what was typed is the shell's to break, and what is to be copied must not be broken
      if (line.length > columns && !/^(\$|export|or:|then:) /.test(line)) {
        problems.push(`${what}, ${name}: longer than the screen: ${line}`)
      }
      if (/(WARN|ERROR|INFO)/.test(line) && (/[█░]|\d\/s/.test(line) || !/^(WARN|ERROR|INFO)/.test(line))) {
        problems.push(`${what}, ${name}: a log line on the bar: ${line}`)
      }
    }
    return seen
  }
  let number = 0
  /** Each command has a number, which the next prompt shows, with the exit code. */
  const type = (text) => {
    number++
    tmux("send-keys", "-t", name, "-l", `clear; n=${number}; ${text}\n`)
    return new RegExp(`^\\[(\\d+)\\] ${number}\\$`)
  }
  /** Waits until a line of the screen looks like this. */
  const until = async (expected, what) => {
    for (let i = 0; i < 600; i++) {
      if (lines().some((line) => expected.test(line))) return look(what)
      await sleep(50)
    }
    throw new Error(`${what}, ${name}: nothing like ${expected} on the screen:\n${lines().join("\n")}`)
  }
  const run = async (command, code) => {
    const seen = await until(type(command), command)
    if (!seen.at(-1)?.startsWith(`[${code}]`)) {
      problems.push(`${command}, ${name}: not exit code ${code}:\n${seen.join("\n")}`)
    }
    return seen
  }
  return { interrupt: () => tmux("send-keys", "-t", name, "C-c"), look, run, type, until }
}

const helps = [
  ["", /^apns \d/],
  ["send", /^Sends one/],
  ["bulk", /^Sends one/],
  ["simulator", /^Sends a/],
  ["channels", /^Creates/],
  ["channels create", /^Makes/],
  ["mock", /^Runs a/],
  ["inbox", /^Shows/],
  ["outbox", /^Sends durably/],
  ["outbox enqueue", /^Puts/],
  ["outbox run", /^Sends what/],
  ["outbox status", /^Says/]
]

const mistakes = [
  "sned",
  "send",
  "send 00 --titel x",
  "send 00 --badge x",
  "send 00 --push-type alrt",
  "bulk tokens",
  "channels crate",
  "send 00 --body x",
  "send --token 00",
  "send 00 --key AuthKey_ABC123DEFG.p8",
  "send 00 --badge 9007199254740993",
  "bulk --file tokens"
]

let mock
const startMock = async (port) => {
  mock = spawn(process.execPath, [
    bin,
    "mock",
    "--dir",
    join(work, "mock"),
    "--port",
    String(port),
    "--delay",
    "20 millis",
    "--quiet",
    "--json"
  ], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [line] = await once(createInterface({ input: mock.stdout }), "line")
  return JSON.parse(line)
}
const stopMock = async () => {
  const gone = once(mock, "exit")
  mock.kill("SIGKILL")
  await gone
}

try {
  const tall = terminal(80, 24)
  for (const [command, first] of helps) {
    const seen = await tall.run(`apns ${command} --help`, 0)
    // what does not fit has scrolled the first line away
    if (!first.test(seen[0] ?? "")) problems.push(`apns ${command} --help does not fit 24 lines: it begins ${seen[0]}`)
  }
  for (const columns of [40, 60, 80, 120, 200]) {
    const screen = terminal(columns, 100)
    for (const [command] of helps) await screen.run(`apns ${command} --help`, 0)
    await screen.run("apns send --help-all", 0)
    await screen.run("apns bulk --help-all", 0)
    await screen.run("apns help environment", 0)
    for (const mistake of mistakes) await screen.run(`apns ${mistake}`, 2)
  }

  // what the mock prints while pushes arrive
  const shown = join(work, "shown")
  for (const columns of [40, 80, 200]) {
    const screen = terminal(columns, 60)
    const prompt = screen.type(`apns mock --dir ${shown} --unregister dead01 --delay '1 millis'`)
    await screen.until(/^Ctrl-C ends it/, "apns mock")
    const variables = Object.fromEntries(
      readFileSync(join(shown, "env.sh"), "utf8").trim().split("\n").map((line) =>
        line.slice("export ".length).split("=")
      )
    )
    const send = (...args) =>
      spawnSync(process.execPath, [bin, "send", ...args], { encoding: "utf8", env: { ...process.env, ...variables } })
    send("cafe01", "--title", "Lunch", "--body", "At noon?", "--collapse-id", "lunch")
    send("00".repeat(32), "--push-type", "background")
    send("cafe02", "--body", "Many words that do not fit into one line of a narrow terminal. ".repeat(4), "--json")
    send("dead01", "--body", "Hi")
    const seen = await screen.until(/410\s+Unregistered|^ +Unregistered/, "apns mock with pushes")
    const text = seen.join("\n").replace(/\n {4}/g, " ")
    for (
      const [path, outcome] of [
        ["cafe01", "200 accepted"],
        ["00000000...00000000", "200 accepted"],
        ["cafe02", "200 accepted"],
        ["dead01", "410 Unregistered"]
      ]
    ) {
      const line = new RegExp(
        `^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} +POST +/3/device/${path.replaceAll(".", "\\.")} +${outcome}$`,
        "m"
      )
      if (!line.test(text)) problems.push(`apns mock, ${columns} columns: no line like ${line}:\n${seen.join("\n")}`)
    }
    if (!text.includes("\"title\":\"Lunch\"")) problems.push(`apns mock, ${columns} columns: no payload:\n${text}`)
    screen.interrupt()
    const done = await screen.until(prompt, "apns mock, ended")
    if (!done.some((line) => line === "Received 4: 3 accepted, 1 rejected.")) {
      problems.push(`apns mock, ${columns} columns: no totals:\n${done.join("\n")}`)
    }
    if (!done.at(-1)?.startsWith("[3]")) problems.push(`apns mock, ${columns} columns: not exit code 3`)
  }

  const { port, variables } = await startMock(0)
  writeFileSync(
    join(work, "tokens"),
    Array.from({ length: 60_000 }, (_, i) => `${(i + 1).toString(16).padStart(64, "0")}\n`).join("")
  )
  for (const columns of [40, 80, 120, 200]) {
    const screen = terminal(columns, 24, variables)
    const out = join(work, `out-${columns}`)
    const prompt = screen.type(
      `apns bulk ${join(work, "tokens")} --out ${out} --title Hello --concurrency 500 --size 2`
    )
    await screen.until(/ (left|\d+ %)/, "bulk")
    await sleep(500)
    screen.look("bulk, later")
    await stopMock()
    await screen.until(/waiting for a/, "bulk without APNs")
    for (let i = 0; i < 4; i++) {
      await sleep(500)
      screen.look("bulk without APNs, later")
    }
    await startMock(port)
    const done = await screen.until(prompt, "bulk, done")
    if (!done.at(-1)?.startsWith("[0]")) problems.push(`bulk at ${columns} columns has failed:\n${done.join("\n")}`)
    if (done.some((line) => /[█░]|waiting for a/.test(line))) {
      problems.push(`bulk at ${columns} columns leaves its bar behind`)
    }
  }
} catch (error) {
  problems.push(String(error))
} finally {
  mock?.kill("SIGKILL")
  try {
    tmux("kill-server")
  } catch {
    // it has ended by itself
  }
  rmSync(work, { recursive: true, force: true })
}

for (const problem of problems) console.error(problem)
console.log(`${looks} screens, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
