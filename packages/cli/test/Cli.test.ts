import { ExitCode } from "@effect-apns/cli"
import { ErrorCode } from "@effect-apns/http2"
import { MockApns } from "@effect-apns/testing"
import { CommandExecutor, Error as PlatformError, FileSystem } from "@effect/platform"
import type { Command } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Inspectable, Layer, Sink, Stream } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Screen } from "../src/internal/screen.js"
import * as Terminal from "../src/internal/terminal.js"
import { apns, directory, environmentOf, token } from "./utils/harness.js"

const rig = Effect.gen(function*() {
  const mock = yield* MockApns.make()
  const dir = yield* directory
  return { dir, mock, environment: yield* environmentOf(mock, dir) }
})

describe("apns", () => {
  it.scopedLive.each([{ args: [] }, { args: ["--help"] }, { args: ["-h"] }, { args: ["help"] }])(
    "$args shows how to begin",
    ({ args }) =>
      Effect.gen(function*() {
        const { code, out } = yield* apns(args)
        assert.strictEqual(code, ExitCode.accepted)
        assert.include(out, "apns send 0123456789abcdef --title Lunch")
        for (const code of Object.values(ExitCode)) assert.match(out, new RegExp(`^${code} `, "m"))
      }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive.each([
    "send",
    "bulk",
    "simulator",
    "mock",
    "inbox",
    "channels create",
    "channels read",
    "channels list",
    "channels delete",
    "channels",
    ""
  ])(
    "%s --help fits a screen of 24 lines, and has an example",
    (name) =>
      Effect.gen(function*() {
        const { code, out } = yield* apns([...name === "" ? [] : name.split(" "), "--help"])
        assert.strictEqual(code, ExitCode.accepted)
        assert.match(out, new RegExp(`^ {2}apns ${name} ?.+`, "m"))
        // the prompt takes the last line of the screen
        assert.isBelow(out.split("\n").length - 1, 24, out)
        for (const line of out.split("\n")) assert.isAtMost(line.length, 80)
      }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive.each(["send", "bulk", "simulator", "channels create", "mock"])(
    "%s --help-all has every option, also those that --help leaves out",
    (name) =>
      Effect.gen(function*() {
        const words = name.split(" ")
        const { out: all } = yield* apns([...words, "--help-all"])
        const { out: some } = yield* apns([...words, "--help"])
        const options = (text: string) => text.match(/^ {2}--[a-z-]+/gm) ?? []
        assert.includeMembers(options(all), options(some))
        const count = /shows all (\d+) options/.exec(some)?.[1]
        if (count !== undefined) assert.strictEqual(options(all).length, Number(count))
        assert.notInclude(all, "user-defined")
      }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive.each([20, 40, 60, 80, 100, 200])(
    "help for %d columns -> no broken word and no longer line",
    (columns) =>
      Effect.gen(function*() {
        const words = new Set<string>()
        const helps: ReadonlyArray<ReadonlyArray<string>> = [
          ["--help"],
          ["help", "environment"],
          ["send", "--help-all"],
          ["bulk", "--help-all"],
          ["channels", "--help"]
        ]
        for (const args of helps) {
          for (const word of (yield* apns(args)).out.split(/\s+/)) words.add(word)
          const { out } = yield* Effect.provideService(apns(args), Screen, {
            ...Terminal.standard,
            resultColumns: () => columns
          })
          for (const line of out.split("\n")) assert.isAtMost(line.length, columns)
          if (columns >= 40) { for (const word of out.split(/\s+/)) assert.isTrue(words.has(word), word) }
        }
      }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive.each(["bash", "zsh", "fish"])(
    "--completions %s knows every command and its options",
    (shell) =>
      Effect.gen(function*() {
        const { code, out } = yield* apns(["--completions", shell])
        assert.strictEqual(code, ExitCode.accepted)
        for (const word of ["bulk", "channels", "push-type", "policy", "unregister"]) assert.include(out, word)
      }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive.each<{ readonly args: ReadonlyArray<string>; readonly hint: string }>([
    { args: ["sned"], hint: "There is no command apns sned: did you mean apns send?" },
    { args: ["channels", "crate"], hint: "did you mean apns channels create?" },
    { args: ["channels"], hint: "create, read, list, delete" },
    { args: ["--sandbox", "send"], hint: "The name of a command comes first" },
    { args: ["send"], hint: "TOKEN is missing" },
    { args: ["send", "00", "01"], hint: "'01' is one argument too many" },
    { args: ["send", ""], hint: "TOKEN is empty: the device token" },
    {
      args: ["send", "00", "--payload", "/no/such.json"],
      hint: "--payload: /no/such.json cannot be read: there is no such file"
    },
    { args: ["send", "00", "--payload", "/tmp"], hint: "--payload: /tmp is a folder: give a file" },
    { args: ["send", "00", "--payload", "/dev/zero"], hint: "--payload: /dev/zero is no file" },
    {
      args: ["send", "00", "--payload", "/dev/null/x"],
      hint: "--payload: '/dev/null/x' cannot be reached (what stands before the last / is a file"
    },
    { args: ["send", "00", "--body", "x", "--timeout", "0 seconds"], hint: "--timeout: there is no time in 0" },
    { args: ["send", "00", "--body", "x", "--expiration", "2020-01-01"], hint: "--expiration: 2020-01-01 is over" },
    { args: ["send", "00", "--body", "x", "--expiration", "1500000000"], hint: "--expiration: 1500000000 is over" },
    {
      args: ["send", "00", "--body", "x", "--expiration", "1767225600000"],
      hint: "--expiration: 1767225600000 lies beyond"
    },
    { args: ["bulk", "x", "--out", "/tmp", "--body", "y"], hint: "--out: /tmp is a folder: give a file" },
    { args: ["bulk", "x", "--out", "-", "--body", "y"], hint: "--out: - is not taken for standard output" },
    { args: ["bulk", "x", "--out", "/dev/full", "--body", "y"], hint: "--out: /dev/full is no file" },
    { args: ["mock", "--dir", "/dev/null"], hint: "--dir: /dev/null is a file: give a folder" },
    { args: ["mock", "--unregister", "zz"], hint: "--unregister: A device token holds hexadecimal digits only" },
    { args: ["send", " ", "--body", "x"], hint: "TOKEN is empty" },
    { args: ["simulator", "booted", ""], hint: "BUNDLE-ID is empty" },
    { args: ["send", "00", "--topic", ""], hint: "--topic: the value is empty. Give ID, or leave --topic out" },
    { args: ["send", "00", "--topic="], hint: "--topic: the value is empty" },
    { args: ["send", "00", "--payload", ""], hint: "--payload: the value is empty. Give FILE, or leave --payload out" },
    { args: ["send", "00", "--badge", ""], hint: "--badge: the value is empty" },
    { args: ["send", "00", "--push-type", ""], hint: "--push-type: the value is empty" },
    { args: ["send", "00", "--ca", "\t"], hint: "--ca: the value is empty" },
    { args: ["bulk", "", "--out", "x", "--body", "y"], hint: "TOKENS is empty" },
    {
      args: ["bulk", "x", "--out", "", "--body", "y"],
      hint: "--out: the value is empty. Give FILE: what became of each"
    },
    { args: ["mock", "--dir", ""], hint: "--dir: the value is empty" },
    { args: ["mock", "--unregister", ""], hint: "--unregister: the value is empty" },
    { args: ["inbox", "--topic", ""], hint: "--topic: the value is empty. Give TOPIC, or leave --topic out" },
    { args: ["inbox", "--host", "0.0.0.0", "--token", ""], hint: "--token: the value is empty" },
    { args: ["channels", "create", "--bundle-id", ""], hint: "--bundle-id: the value is empty" },
    { args: ["outbox", "status", ""], hint: "ID is empty" },
    { args: ["send", "00", "--titel", "x"], hint: "There is no option --titel: did you mean --title?" },
    { args: ["send", "00", "--push", "voip"], hint: "did you mean --push-type?" },
    { args: ["send", "00", "-badge", "1"], hint: "There is no option -badge: did you mean --badge?" },
    { args: ["send", "00", "--bogus"], hint: "There is no option --bogus. See apns send --help." },
    { args: ["send", "00", "--badge", "x"], hint: "--badge: 'x' is not a whole number" },
    {
      args: ["send", "00", "--badge", "9007199254740993"],
      hint: "--badge: 9007199254740993 is too large: at most 9007199254740991, which is 2^53 - 1"
    },
    { args: ["send", "00", "--badge", "1".repeat(90)], hint: "is too large: at most 9007199254740991" },
    { args: ["send", "00", "--badge", "-1"], hint: "--badge: -1 is too small: at least 0" },
    { args: ["send", "00", "--badge", "1e3"], hint: "--badge: '1e3' is not a whole number" },
    { args: ["mock", "--port", "65536"], hint: "--port: 65536 is too large: at most 65535" },
    { args: ["send", "--token", "00"], hint: "no option --token: TOKEN is an argument, write apns send TOKEN ..." },
    { args: ["send", "--to=00", "--body", "x"], hint: "TOKEN is an argument, write apns send TOKEN ..." },
    { args: ["bulk", "--tokens", "x"], hint: "TOKENS is an argument, write apns bulk TOKENS ..." },
    { args: ["bulk", "--file", "x"], hint: "TOKENS is an argument, write apns bulk TOKENS ..." },
    { args: ["send", "00", "--key", "x.p8"], hint: "come from the environment, set APNS_KEY_FILE" },
    { args: ["send", "00", "--team-id", "x"], hint: "come from the environment, set APNS_TEAM_ID" },
    { args: ["send", "00", "--message", "x"], hint: "There is no option --message: did you mean --body?" },
    { args: ["send", "00", "--bundle-id", "x"], hint: "did you mean --topic?" },
    { args: ["send", "00", "--production"], hint: "production is where it sends without --sandbox" },
    { args: ["bulk", "x", "--output", "y"], hint: "did you mean --out?" },
    { args: ["bulk", "x", "--body", "y"], hint: "--out FILE is missing" },
    { args: ["outbox", "enqueue", "x", "--body", "y"], hint: "--id ID is missing: the campaign: one, however often" },
    {
      args: ["outbox", "enqueue", "x", "--id", "", "--body", "y"],
      hint: "--id: the value is empty. Give ID: the campaign: one, however often"
    },
    { args: ["send", "00", "--\u001b[2Jx", "y"], hint: "There is no option --\\u001b[2Jx" },
    { args: ["send", "00", "--badge=1.5"], hint: "--badge: '1.5' is not a whole number" },
    { args: ["send", "00", "--badge", "-1"], hint: "--badge: -1 is too small: at least 0" },
    { args: ["mock", "--port", "65536"], hint: "--port: 65536 is too large: at most 65535" },
    {
      args: ["inbox", "--dir", "/dev/null/x"],
      hint: "--dir: '/dev/null/x' cannot be reached (what stands before the last / is a file"
    },
    {
      args: ["send", "00", "--payload", "/dev/null/x"],
      hint: "--payload: '/dev/null/x' cannot be reached (what stands before the last / is a file"
    },
    { args: ["inbox", "--port", "70000"], hint: "--port: 70000 is too large: at most 65535" },
    { args: ["inbox", "--mock-port", "70000"], hint: "--mock-port: 70000 is too large: at most 65535" },
    { args: ["send", "00", "--push-type", "alrt"], hint: "did you mean alert?" },
    { args: ["send", "00", "--priority", "7"], hint: "--priority: '7' is none of 10, 5, 1" },
    { args: ["send", "00", "--body"], hint: "--body: the value is missing: --body TEXT" },
    { args: ["send", "00", "--title", "--body", "x"], hint: "--title: the value is missing before --body" },
    { args: ["send", "00", "--title", "x", "--title", "y"], hint: "--title is given twice" },
    { args: ["send", "00", "--raw=maybe"], hint: "--raw takes no value" },
    { args: ["bulk", "tokens"], hint: "--out FILE is missing" },
    { args: ["--completions", "csh"], hint: "bash, zsh or fish" },
    { args: ["send", "00", "--log-level", "loud"], hint: "--log-level: 'loud' is none of them" }
  ])("$args is refused", ({ args, hint }) =>
    Effect.gen(function*() {
      const { code, err, out } = yield* apns(args)
      assert.strictEqual(code, ExitCode.notPossible)
      assert.include(err, hint)
      assert.strictEqual(out, "")
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("apns --version", () => {
  it.scopedLive("is the version of the package", () =>
    Effect.gen(function*() {
      const { version } = JSON.parse(readFileSync(fileURLToPath(new URL("../package.json", import.meta.url)), "utf8"))
      const { code, out } = yield* apns(["--version"])
      assert.strictEqual(code, ExitCode.accepted)
      assert.strictEqual(out.trim(), version)
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("apns send", () => {
  it.scopedLive("sends what the options say", () =>
    Effect.gen(function*() {
      const { environment, mock } = yield* rig
      const { code, out } = yield* apns([
        ...["send", token(1), "--title", "Lunch", "--body", "At noon?", "--badge", "0", "--sound", "default"],
        ...["--interruption-level", "time-sensitive", "--thread-id", "food", "--priority", "5"],
        ...["--expiration", "none", "--collapse-id", "lunch", "--topic", "com.example.other"],
        ...["--apns-id", "123e4567-e89b-12d3-a456-426655440000"]
      ], environment)
      assert.strictEqual(code, ExitCode.accepted)
      assert.include(out, "Accepted: apns-id 123e4567-e89b-12d3-a456-426655440000")
      const [received] = yield* mock.received
      assert.deepStrictEqual(received?.payload, {
        aps: {
          alert: { title: "Lunch", body: "At noon?" },
          badge: 0,
          sound: "default",
          "interruption-level": "time-sensitive",
          "thread-id": "food"
        }
      })
      assert.strictEqual(received?.token, token(1))
      assert.strictEqual(received?.topic, "com.example.other")
      assert.strictEqual(received?.priority, 5)
      assert.strictEqual(received?.expiration, 0)
      assert.strictEqual(received?.collapseId, "lunch")
      assert.strictEqual(received?.apnsId, "123e4567-e89b-12d3-a456-426655440000")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a number in a payload that would change -> named, with the options of this command alone", () =>
    Effect.gen(function*() {
      const { dir, environment } = yield* rig
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(
        `${dir}/payload.json`,
        "{\"aps\":{\"alert\":\"x\"},\"order\":{\"id\":9007199254740993}}"
      )
      const { code, err } = yield* apns(["send", token(1), "--payload", `${dir}/payload.json`], environment)
      assert.strictEqual(code, ExitCode.notPossible)
      for (const hint of ["order.id", "9007199254740993", "as a string", "--raw"]) assert.include(err, hint)
      assert.notInclude(err, "Notification.raw")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("sends a payload from a file, with the topic of the environment and the suffix of the push type", () =>
    Effect.gen(function*() {
      const { dir, environment, mock } = yield* rig
      const fs = yield* FileSystem.FileSystem
      const payload = { aps: { alert: "Hello" }, id: 7 }
      yield* fs.writeFileString(`${dir}/payload.json`, JSON.stringify(payload))
      const args = ["send", token(1), "--payload", `${dir}/payload.json`]
      assert.strictEqual((yield* apns([...args, "--push-type", "voip"], environment)).code, ExitCode.accepted)
      yield* fs.writeFileString(`${dir}/payload.json`, "{ \"aps\": {}, \"new\": [1.0] }")
      assert.strictEqual((yield* apns([...args, "--raw"], environment)).code, ExitCode.accepted)
      const [checked, raw] = yield* mock.received
      assert.deepStrictEqual(checked?.payload, payload)
      assert.strictEqual(checked?.topic, "com.example.app.voip")
      assert.strictEqual(new TextDecoder().decode(raw?.body), "{ \"aps\": {}, \"new\": [1.0] }")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("--dry-run sends nothing, needs no credentials, and says what is wrong", () =>
    Effect.gen(function*() {
      const { mock } = yield* rig
      const good = yield* apns(["send", token(1), "--title", "Hello", "--dry-run", "--topic", "com.example.app"])
      assert.strictEqual(good.code, ExitCode.accepted, good.out + good.err)
      const bad = yield* apns([
        "send",
        token(1),
        "--title",
        "Hello",
        "--dry-run",
        "--json",
        "--topic",
        "com.example.app.voip"
      ])
      assert.strictEqual(bad.code, ExitCode.notAccepted)
      assert.include(bad.out, "topic-suffix")
      assert.strictEqual((yield* mock.stats).requests, 0)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("turns a duration into an expiration from now on", () =>
    Effect.gen(function*() {
      const { environment, mock } = yield* rig
      yield* apns(["send", token(1), "--body", "Hello", "--expiration", "2 hours"], environment)
      const [received] = yield* mock.received
      assert.closeTo(received?.expiration ?? 0, (received?.time ?? 0) / 1000 + 7200, 60)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("rejected -> the reason, as text and as JSON", () =>
    Effect.gen(function*() {
      const { environment, mock } = yield* rig
      yield* mock.unregister(token(1), { at: 1_700_000_000_000 })
      const said = yield* apns(["send", token(1), "--body", "Hello"], environment)
      assert.strictEqual(said.code, ExitCode.notAccepted)
      assert.include(said.err, "Rejected: Unregistered (410)")
      assert.strictEqual(said.out, "")
      const json = yield* apns(["send", token(1), "--body", "Hello", "--json"], environment)
      assert.strictEqual(json.code, ExitCode.notAccepted)
      const { action, outcome, processed, reason, since, status } = JSON.parse(json.out)
      assert.deepStrictEqual({ action, outcome, processed, reason, since, status }, {
        action: "delete-token",
        outcome: "rejected",
        processed: "yes",
        reason: "Unregistered",
        since: "2023-11-14T22:13:20.000Z",
        status: 410
      })
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("no answer -> says that the outcome is unknown", () =>
    Effect.gen(function*() {
      const { environment, mock } = yield* rig
      yield* mock.next(MockApns.resetStream(ErrorCode.ErrorCode.INTERNAL_ERROR))
      const { code, out } = yield* apns(["send", token(1), "--body", "Hello", "--json"], environment)
      assert.strictEqual(code, ExitCode.notAccepted)
      const { error, outcome, processed } = JSON.parse(out)
      assert.deepStrictEqual({ error, outcome, processed }, {
        error: "StreamReset",
        outcome: "failed",
        processed: "unknown"
      })
    }).pipe(Effect.provide(NodeContext.layer)))

  const without = (name: string) => (environment: Record<string, string>) =>
    Object.fromEntries(Object.entries(environment).filter(([key]) => key !== name))
  const withOther = (name: string, value: string) => (environment: Record<string, string>) => ({
    ...environment,
    [name]: value
  })
  const same = (environment: Record<string, string>) => environment

  it.scopedLive.each<
    [string, ReadonlyArray<string>, (environment: Record<string, string>) => Record<string, string>, string]
  >([
    ["no credentials", [token(1), "--body", "x"], without("APNS_KEY_FILE"), "set APNS_KEY_FILE"],
    ["no key id", [token(1), "--body", "x"], without("APNS_KEY_ID"), "APNS_KEY_ID"],
    ["no topic", [token(1), "--body", "x"], without("APNS_TOPIC"), "Give --topic"],
    [
      "a key file that is not there",
      [token(1), "--body", "x"],
      withOther("APNS_KEY_FILE", "nowhere.p8"),
      "There is no file nowhere.p8"
    ],
    ["a CA file that is not there", [token(1), "--body", "x", "--ca", "nowhere.pem"], same, "nowhere.pem"],
    [
      "a PKCS#12 file beside a key",
      [token(1), "--body", "x"],
      withOther("APNS_P12_FILE", "push.p12"),
      "Several credentials"
    ],
    [
      "an endpoint that is none",
      [token(1), "--body", "x", "--endpoint", "http://localhost"],
      same,
      "https://host[:port]"
    ],
    [
      "an endpoint that is none, by its option",
      [token(1), "--body", "x", "--endpoint", "nowhere"],
      same,
      "--endpoint: Not an APNs endpoint"
    ],
    [
      "an endpoint that is none, by its variable",
      [token(1), "--body", "x"],
      withOther("APNS_ENDPOINT", "nowhere"),
      "APNS_ENDPOINT: Not an APNs endpoint"
    ],
    [
      "a key id that is the name of a file",
      [token(1), "--body", "x"],
      withOther("APNS_KEY_ID", "AuthKey_ABC123DEFG.p8"),
      "give the 10 characters in it, ABC123DEFG"
    ],
    [
      "authorities as text in --ca",
      [token(1), "--body", "x", "--ca", `-----BEGIN CERTIFICATE-----\n${"MIIB".repeat(20)}`],
      same,
      "What is given as --ca"
    ],
    ["two endpoints", [token(1), "--body", "x", "--sandbox", "--endpoint", "production"], same, "give one of them"],
    ["a token with a slash", ["../4", "--body", "x"], same, "TOKEN:"],
    ["nothing to say", [token(1)], same, "Nothing to say"],
    ["a topic with a space", [token(1), "--body", "x", "--topic", "a b"], same, "--topic:"],
    ["a collapse id of 65 bytes", [token(1), "--body", "x", "--collapse-id", "x".repeat(65)], same, "--collapse-id:"],
    ["an apns-id that is no UUID", [token(1), "--body", "x", "--apns-id", "7"], same, "--apns-id:"],
    ["an expiration that is none", [token(1), "--body", "x", "--expiration", "soon"], same, "--expiration:"],
    ["a timeout without a unit", [token(1), "--body", "x", "--timeout", "5"], same, "--timeout:"],
    ["words in a background push", [token(1), "--body", "x", "--push-type", "background"], same, "shows nothing"],
    [
      "a background push of priority 10",
      [token(1), "--push-type", "background", "--priority", "10"],
      same,
      "--priority:"
    ],
    ["a payload and words", [token(1), "--body", "x", "--payload", "x.json"], same, "leave out --title"],
    ["a payload that is not there", [token(1), "--payload", "nowhere.json"], same, "nowhere.json cannot be read"],
    ["a payload over the limit", [token(1), "--body", "x".repeat(5000)], same, "4096"]
  ])("refuses %s, and sends nothing", ([, args, change, hint]) =>
    Effect.gen(function*() {
      const { environment, mock } = yield* rig
      const changed = change(environment)
      const said = yield* apns(["send", ...args], changed)
      assert.strictEqual(said.code, ExitCode.notPossible)
      assert.include(said.err, hint)
      assert.strictEqual(said.out, "")
      const json = yield* apns(["send", ...args, "--json"], changed)
      assert.strictEqual(json.code, ExitCode.notPossible)
      assert.strictEqual(JSON.parse(json.out).outcome, "impossible")
      assert.include(JSON.parse(json.out).message, hint)
      assert.strictEqual((yield* mock.stats).requests, 0)
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("apns send without APNs", () => {
  it.scopedLive("no connection can be opened -> exit code 2", () =>
    Effect.gen(function*() {
      const { environment, mock } = yield* rig
      yield* mock.refuseConnections(true)
      const said = yield* apns(["send", token(1), "--body", "x", "--timeout", "300 millis"], environment)
      assert.strictEqual(said.code, ExitCode.notPossible)
      assert.match(said.err, /^Failed: .*check host and port/s)
      const json = yield* apns(["send", token(1), "--body", "x", "--timeout", "300 millis", "--json"], environment)
      assert.strictEqual(json.code, ExitCode.notPossible)
      assert.deepInclude(JSON.parse(json.out), { outcome: "failed", processed: "no" })
    }).pipe(Effect.provide(NodeContext.layer)))

  it.effect.each(
    [
      ["InvalidProviderToken", ExitCode.notPossible],
      ["BadCertificate", ExitCode.notPossible],
      ["TopicDisallowed", ExitCode.notPossible],
      ["Unregistered", ExitCode.notAccepted],
      ["DeviceTokenNotForTopic", ExitCode.notAccepted]
    ] as const
  )(
    "APNs answers %s -> exit code by what is wrong: 2 for the credentials, 1 for the notification",
    ([reason, code]) =>
      Effect.gen(function*() {
        const { environment, mock } = yield* rig
        yield* mock.script(() => MockApns.reject(reason))
        const said = yield* apns(["send", token(1), "--body", "x"], environment)
        assert.strictEqual(said.code, code)
        assert.include(said.err, `Rejected: ${reason}`)
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )

  it.scopedLive("--ca is used instead of APNS_CA and APNS_CA_FILE", () =>
    Effect.gen(function*() {
      const { environment } = yield* rig
      const changed = { ...environment, APNS_CA: "not a certificate", APNS_CA_FILE: "nowhere.pem" }
      const ca = environment["APNS_CA_FILE"] ?? ""
      const said = yield* apns(["send", token(1), "--body", "x", "--ca", ca], changed)
      assert.strictEqual(said.code, ExitCode.accepted, said.err)
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("apns mock", () => {
  it.scopedLive("prints the variables that point to it, what it receives, and the totals", () =>
    Effect.gen(function*() {
      const dir = yield* directory
      const printed = { out: "", err: "" }
      const running = yield* Effect.fork(
        apns(["mock", "--json", "--dir", `${dir}/files`, "--unregister", token(2)], {}, printed)
      )
      const events = (): ReadonlyArray<Record<string, unknown>> =>
        printed.out.split("\n").slice(0, -1).map((line) => JSON.parse(line))
      const until = (count: number) => Effect.yieldNow().pipe(Effect.repeat({ until: () => events().length >= count }))
      yield* until(1)
      const [{ env, variables } = {}] = events()
      const environment = variables as Record<string, string>
      const fs = yield* FileSystem.FileSystem
      assert.include(yield* fs.readFileString(String(env)), `export APNS_ENDPOINT=${environment["APNS_ENDPOINT"]}\n`)
      assert.strictEqual(Number((yield* fs.stat(environment["APNS_KEY_FILE"] ?? "")).mode) & 0o777, 0o600)

      const accepted = yield* apns(["send", token(1), "--body", "Hello"], environment)
      assert.strictEqual(accepted.code, ExitCode.accepted, accepted.err)
      assert.strictEqual((yield* apns(["send", token(2), "--body", "Hello"], environment)).code, ExitCode.notAccepted)
      yield* until(3)
      yield* Fiber.interrupt(running)
      const [, first, second, last] = events()
      assert.deepInclude(first, { event: "received", accepted: true, status: 200, token: token(1) })
      assert.deepInclude(second, { event: "received", accepted: false, status: 410, reason: "Unregistered" })
      assert.deepStrictEqual(last, { event: "stopped", received: 2, accepted: 1, rejected: 1 })
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("with --dir -> the same key, ids and authority at the next start", () =>
    Effect.gen(function*() {
      const dir = `${yield* directory}/mock`
      const fs = yield* FileSystem.FileSystem
      const once = Effect.gen(function*() {
        const printed = { out: "", err: "" }
        const running = yield* Effect.fork(apns(["mock", "--json", "--dir", dir], {}, printed))
        yield* Effect.repeat(Effect.yieldNow(), { until: () => printed.out.includes("\n") })
        const { variables } = JSON.parse(printed.out.split("\n")[0] ?? "")
        const ran = yield* apns(["send", token(1), "--body", "Hello"], variables)
        yield* Fiber.interrupt(running)
        assert.strictEqual(ran.code, ExitCode.accepted, ran.err)
        const { APNS_ENDPOINT: _, ...rest } = variables
        const files = yield* Effect.forEach(
          [rest.APNS_CA_FILE, rest.APNS_KEY_FILE],
          (file: string) => fs.readFileString(file)
        )
        return { files, rest }
      })
      assert.deepStrictEqual(yield* once, yield* once)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("prints time, method, path and outcome; what a client sends cannot move the cursor", () =>
    Effect.gen(function*() {
      const dir = yield* directory
      const fs = yield* FileSystem.FileSystem
      const printed = { out: "", err: "" }
      const running = yield* Effect.fork(apns(["mock", "--dir", `${dir}/mock`, "--unregister", token(2)], {}, printed))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => printed.out.includes("APNS_TOPIC") })
      const variables = Object.fromEntries(
        Array.from(printed.out.matchAll(/^export (\w+)=(.*)$/gm), ([, name, value]) => [name, value])
      )
      const payload = `${dir}/payload.json`
      yield* fs.writeFileString(payload, "{\"aps\":{\"alert\":\"\u001b[2J\u009b\u202eevil\"}}")
      yield* apns(["send", token(1), "--payload", payload, "--raw"], variables)
      yield* apns(["send", token(2), "--body", "Hello"], variables)
      yield* Effect.repeat(Effect.yieldNow(), { until: () => printed.out.includes("Unregistered") })
      yield* Fiber.interrupt(running)
      assert.match(printed.out, /^\d\d:\d\d:\d\d\.\d{3} {2}POST \/3\/device\/00000000\.\.\.00000001 {2}200 accepted$/m)
      assert.match(printed.out, /POST \/3\/device\/00000000\.\.\.00000002 {2}410 Unregistered$/m)
      assert.include(printed.out, "\\u001b[2J\\u009b\\u202eevil")
      // eslint-disable-next-line no-control-regex
      assert.notMatch(printed.out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("the port is in use -> an error that says so", () =>
    Effect.gen(function*() {
      const { mock } = yield* rig
      const { code, err } = yield* apns(["mock", "--port", `${mock.port}`])
      assert.strictEqual(code, ExitCode.notPossible)
      assert.include(err, `cannot listen on 127.0.0.1, port ${mock.port}`)
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("apns channels", () => {
  it.scopedLive("creates, reads, lists and deletes", () =>
    Effect.gen(function*() {
      const { environment } = yield* rig
      const channels = (...args: ReadonlyArray<string>) => apns(["channels", ...args], environment)
      const created = yield* channels("create", "--policy", "most-recent")
      assert.strictEqual(created.code, ExitCode.accepted, created.err)
      const id = created.out.trim()
      const other = yield* channels("create", "--json")
      const { channelId, outcome } = JSON.parse(other.out)
      assert.strictEqual(outcome, "accepted")
      assert.strictEqual((yield* channels("read", id)).out, "most-recent-message-stored\n")
      assert.strictEqual(
        JSON.parse((yield* channels("read", channelId, "--json")).out).messageStoragePolicy,
        "no-message-stored"
      )
      assert.sameMembers((yield* channels("list")).out.trim().split("\n"), [id, channelId])
      assert.strictEqual((yield* channels("list", "--bundle-id", "com.example.other")).out, "")
      assert.strictEqual((yield* channels("delete", id)).code, ExitCode.accepted)
      assert.deepStrictEqual(JSON.parse((yield* channels("list", "--json")).out).channelIds, [channelId])
      const gone = yield* channels("read", id, "--json")
      assert.strictEqual(gone.code, ExitCode.notAccepted)
      assert.strictEqual(JSON.parse(gone.out).outcome, "rejected")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("no app -> an error that asks for it; an invalid id -> refused", () =>
    Effect.gen(function*() {
      const { environment } = yield* rig
      const { APNS_TOPIC: _, ...rest } = environment
      const unknown = yield* apns(["channels", "list"], rest)
      assert.strictEqual(unknown.code, ExitCode.notPossible)
      assert.include(unknown.err, "Which app?")
      const refused = yield* apns(["channels", "read", "a b"], environment)
      assert.strictEqual(refused.code, ExitCode.notPossible)
      assert.include(refused.err, "CHANNEL-ID:")
    }).pipe(Effect.provide(NodeContext.layer)))
})

describe("apns simulator", () => {
  interface Call {
    readonly args: ReadonlyArray<string>
    readonly input: string
  }

  const fake = (calls: Array<Call>, code: number, stderr: string) =>
    Layer.succeed(
      CommandExecutor.CommandExecutor,
      CommandExecutor.makeExecutor((command) =>
        Effect.gen(function*() {
          const { args, stdin } = command as Command.StandardCommand
          const input = typeof stdin === "string"
            ? ""
            : yield* Stream.runFold(Stream.decodeText(stdin), "", (all, part) => all + part)
          if (args.includes("push")) calls.push({ args, input })
          return {
            [CommandExecutor.ProcessTypeId]: CommandExecutor.ProcessTypeId,
            pid: CommandExecutor.ProcessId(1),
            exitCode: Effect.succeed(CommandExecutor.ExitCode(args.includes("push") ? code : 0)),
            isRunning: Effect.succeed(false),
            kill: () => Effect.void,
            stdin: Sink.drain,
            stdout: Stream.empty,
            stderr: Stream.encodeText(Stream.make(stderr)),
            toJSON: () => ({}),
            [Inspectable.NodeInspectSymbol]: () => "fake"
          }
        })
      )
    )

  const args = ["simulator", "booted", "com.example.app", "--body", "Hello"]

  it.scopedLive("gives the payload to simctl", () => {
    const calls: Array<Call> = []
    return Effect.gen(function*() {
      const { code, out } = yield* apns(args)
      assert.strictEqual(code, ExitCode.accepted)
      assert.include(out, "Handed to the Simulator booted.")
      assert.deepStrictEqual(calls, [{
        args: ["simctl", "push", "booted", "com.example.app", "-"],
        input: "{\"aps\":{\"alert\":{\"body\":\"Hello\"}}}"
      }])
    }).pipe(Effect.provide(fake(calls, 0, "")), Effect.provide(NodeContext.layer))
  })

  it.scopedLive("shows the message of simctl", () =>
    Effect.gen(function*() {
      const { code, err } = yield* apns(args)
      assert.strictEqual(code, ExitCode.notAccepted)
      assert.include(err, "No devices are booted.")
    }).pipe(Effect.provide(fake([], 1, "No devices are booted.\n")), Effect.provide(NodeContext.layer)))

  it.scopedLive("no Xcode -> an error that says what is missing", () =>
    Effect.gen(function*() {
      const { code, err } = yield* apns(args)
      assert.strictEqual(code, ExitCode.notPossible)
      assert.include(err, "the Simulator needs a Mac with Xcode")
    }).pipe(
      Effect.provideService(
        CommandExecutor.CommandExecutor,
        CommandExecutor.makeExecutor(() =>
          Effect.fail(
            new PlatformError.SystemError({
              reason: "NotFound",
              module: "Command",
              method: "spawn",
              pathOrDescriptor: "xcrun"
            })
          )
        )
      ),
      Effect.provide(NodeContext.layer)
    ))
})
