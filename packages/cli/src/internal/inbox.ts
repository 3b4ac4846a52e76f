import { Credentials } from "@effect-apns/core"
import { Inbox, Strings } from "@effect-apns/inbox"
import { Identity } from "@effect-apns/testing"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { homedir } from "node:os"
import { notPossible } from "./errors.js"
import { fileReason } from "./files.js"
import * as Flags from "./flags.js"
import { invocation } from "./invocation.js"
import { jsonLine } from "./json.js"
import { json } from "./send.js"
import * as Subcommand from "./subcommand.js"

/** Fixed, so that what was exported stays right at the next start. 2197 is the other port of Apple's own hosts. */
const mockPort = 2197
const pagePort = 2198

const shellQuote = (text: string): string => /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

export const inbox = Subcommand.make("inbox", {
  port: Flags.port("port", `the page's port, 0 for a free one. Default: ${pagePort}`),
  mockPort: Flags.port("mock-port", `the port that pushes go to, 0 for a free one. Default: ${mockPort}`),
  dir: Flags.directory("dir", "where key and certificate are kept. Default: ~/.effect-apns/inbox"),
  topic: Flags.text("topic", "TOPIC", "the bundle ID to propose. Default: com.example.app"),
  strings: Flags.texts("strings", "FILE", "the app's .strings or .xcstrings file. May be repeated"),
  language: Flags.text("language", "CODE", "the language to take from a string catalog, such as de"),
  keep: Flags.whole("keep", "how many pushes to keep: the newest. Default: 10000", 1, { rare: true }),
  sandbox: Flags.toggle("sandbox", "let the page send to Apple's sandbox, by your APNS_KEY_FILE"),
  host: Flags.text("host", "ADDRESS", "serve the page on this address; it needs --token. Default: 127.0.0.1", {
    rare: true
  }),
  token: Flags.text("token", "TOKEN", "what a browser must know to open the page", { rare: true }),
  json
}, (options) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const some = Option.getOrUndefined
    const failed = ({ message }: { readonly message: string }) => notPossible(message)
    const filesFailed = ({ message }: { readonly message: string }) =>
      notPossible(`--dir: the files of the inbox cannot be written: ${fileReason({ message })}`)
    const strings = yield* Effect.mapError(
      Strings.fromFiles(options.strings, { language: some(options.language) }),
      failed
    )
    // before the variables of the inbox itself are there to be taken for Apple's
    const credentials = options.sandbox
      ? yield* Effect.mapError(
        Credentials.fromConfig,
        (error) =>
          notPossible(
            `--sandbox needs your credentials in the environment (APNS_KEY_FILE, ...): ${
              "message" in error ? error.message : String(error)
            }`
          )
      )
      : undefined
    const dir = path.resolve(Option.getOrElse(options.dir, () => path.join(homedir(), ".effect-apns", "inbox")))
    const identity = yield* Effect.mapError(Identity.keep(dir), filesFailed)
    const topic = Option.getOrElse(options.topic, () => "com.example.app")
    const port = Option.getOrElse(options.mockPort, () => mockPort)
    const file = (name: string, content: string, mode: number) =>
      fs.writeFileString(path.join(dir, name), content, { mode }).pipe(
        // a file that was there keeps its mode otherwise
        Effect.zipRight(fs.chmod(path.join(dir, name), mode)),
        Effect.as(path.join(dir, name)),
        Effect.mapError(filesFailed)
      )
    const { key, tls } = identity
    const kept = {
      APNS_CA_FILE: yield* file("ca.pem", tls.ca, 0o644),
      APNS_KEY_FILE: yield* file(`AuthKey_${key.keyId}.p8`, key.key, 0o600),
      APNS_KEY_ID: key.keyId,
      APNS_TEAM_ID: key.teamId,
      APNS_TOPIC: topic
    }
    const running = yield* Effect.mapError(
      Inbox.make({
        topic,
        page: {
          port: Option.getOrElse(options.port, () => pagePort),
          host: some(options.host),
          token: some(options.token),
          keep: some(options.keep),
          strings,
          variables: kept,
          sandbox: credentials === undefined ? undefined : { credentials }
        },
        mock: { ...identity, port }
      }),
      (error) =>
        error._tag === "InboxError" ? failed(error) : notPossible(
          `Pushes cannot be received on port ${port}, perhaps because another inbox runs: --mock-port names another one, 0 takes a free one (${
            error.cause instanceof Error ? error.cause.message : String(error.cause)
          })`
        )
    )
    const { variables } = running.info
    const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${shellQuote(value)}\n`).join("")
    const env = yield* file("env.sh", exports, 0o644)
    yield* Console.log(
      options.json
        ? jsonLine({ event: "listening", url: running.url, origin: running.mock.origin, env, variables })
        : `The inbox is at  ${running.url}\n\n` +
          `In the terminal of your server:\n\n${exports}\n` +
          `or:  . ${shellQuote(env)}\n\n` +
          `then start it there, or:\n\n${
            invocation(process.env, process.argv[1])
          } send 0123456789abcdef --title Hello\n\nCtrl-C ends it.\n`
    )
    return yield* Effect.onInterrupt(Effect.never, () =>
      Effect.flatMap(running.counts, (counts) =>
        Console.log(
          options.json
            ? jsonLine({ event: "stopped", ...counts })
            : `\nReceived ${counts.total}: ${counts.accepted} accepted, ${counts.rejected} rejected.`
        )))
  }).pipe(Effect.scoped), {
  what: "Shows your pushes in the browser, as a phone would, until Ctrl-C.",
  examples: [
    ["apns inbox", "then open the page, and export what it prints elsewhere"],
    ["apns inbox --strings en.lproj/Localizable.strings", "localized pushes in the words of the app"],
    ["apns inbox --sandbox", "the page can send to Apple's sandbox as well"]
  ]
})
