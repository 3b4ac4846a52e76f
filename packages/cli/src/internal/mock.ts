import { DeviceToken, Printable } from "@effect-apns/models"
import { Identity, MockApns } from "@effect-apns/testing"
import type { Received } from "@effect-apns/testing"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import { check, notPossible } from "./errors.js"
import { fileReason } from "./files.js"
import * as Flags from "./flags.js"
import { invocation } from "./invocation.js"
import { jsonLine } from "./json.js"
import { durationOf } from "./notification.js"
import { Screen } from "./screen.js"
import { json } from "./send.js"
import * as Subcommand from "./subcommand.js"
import type { Terminal } from "./terminal.js"

const decoder = new TextDecoder()

/** The local time of day. */
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3
})

/** Longer than any body that APNs accepts. */
const longest = 6000

/** Any text of the client may contain control sequences of a terminal. */
const line = (received: Received.Received, { hang }: Terminal): string => {
  const { apnsId, body, collapseId, method, path, priority, pushType, reason, status, time, token, topic } = received
  const short = token !== undefined && token.length > 20
    ? path.replace(token, `${token.slice(0, 8)}...${token.slice(-8)}`)
    : path
  const details = [
    pushType,
    topic,
    priority === undefined ? undefined : `priority ${priority}`,
    collapseId === undefined ? undefined : `collapse-id ${collapseId}`,
    `apns-id ${apnsId}`
  ]
  const outcome = status === undefined
    ? "no answer"
    : `${status} ${status === 200 ? "accepted" : reason ?? "rejected"}`
  const below = [
    Printable.text(details.filter((detail) => detail !== undefined).join(", "), longest),
    ...body.length === 0 ? [] : [Printable.text(decoder.decode(body), longest)]
  ]
  return [
    hang(`${clock.format(time)}  ${Printable.text(method)} ${Printable.text(short)}  ${outcome}`, "    "),
    ...below.map((text) => `  ${hang(text, "  ")}`)
  ].join("\n")
}

const record = (received: Received.Received): string => {
  const { accepted, apnsId, body, collapseId, expiration, method, path, payload, priority, pushType } = received
  const { reason, status, time, token, topic } = received
  return jsonLine({
    event: "received",
    time: new Date(time).toISOString(),
    accepted,
    status,
    reason,
    method,
    path,
    token,
    topic,
    pushType,
    priority,
    expiration,
    collapseId,
    apnsId,
    payload: payload ?? decoder.decode(body)
  })
}

/** Requests that wait to be printed: a terminal is slower than a pool. */
const backlog = 10_000

const shellQuote = (text: string): string => /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

export const mock = Subcommand.make("mock", {
  port: Flags.port("port", "default: a free one"),
  dir: Flags.directory(
    "dir",
    "where to keep the authority, the key and the variables. Default: a directory that is removed at the end"
  ),
  unregister: Flags.texts("unregister", "TOKEN", "a dead token: answered 410 Unregistered. May be repeated"),
  delay: Flags.text("delay", "DURATION", "answer each request this much later, such as \"50 millis\""),
  quiet: Flags.toggle("quiet", "print only the totals at the end, not what is received"),
  json
}, (options) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    for (const token of options.unregister) yield* check(DeviceToken.DeviceToken, "--unregister", token)
    const screen = yield* Screen
    const received = yield* Queue.dropping<Received.Received>(backlog)
    let unseen = 0
    const delay = Option.isSome(options.delay) ? yield* durationOf("--delay", options.delay.value) : Duration.zero
    const filesFailed = ({ message }: { readonly message: string }) =>
      notPossible(`--dir: the files of the mock cannot be written: ${fileReason({ message })}`)
    const dir = Option.isSome(options.dir)
      ? path.resolve(options.dir.value)
      : yield* Effect.mapError(fs.makeTempDirectoryScoped({ prefix: "apns-mock-" }), filesFailed)
    const identity = Option.isSome(options.dir)
      ? yield* Effect.mapError(Identity.keep(dir), filesFailed)
      : undefined
    const apns = yield* MockApns.make({
      ...identity,
      port: Option.getOrElse(options.port, () => 0),
      delay,
      record: false,
      onReceived: (request) => {
        if (!options.quiet && !received.unsafeOffer(request)) unseen++
      }
    }).pipe(Effect.mapError(({ message }) => notPossible(message.replace("`port`", "--port"))))
    for (const token of options.unregister) yield* apns.unregister(token)

    const write = Effect.gen(function*() {
      const { credentials } = apns
      const file = (name: string, content: string, mode: number) =>
        fs.writeFileString(path.join(dir, name), content, { mode }).pipe(
          // an existing file would keep its mode otherwise
          Effect.zipRight(fs.chmod(path.join(dir, name), mode)),
          Effect.as(path.join(dir, name))
        )
      const variables = {
        APNS_ENDPOINT: apns.origin,
        APNS_CA_FILE: yield* file("ca.pem", apns.ca, 0o644),
        APNS_KEY_FILE: yield* file(`AuthKey_${credentials.keyId}.p8`, credentials.key, 0o600),
        APNS_KEY_ID: credentials.keyId,
        APNS_TEAM_ID: credentials.teamId,
        APNS_TOPIC: MockApns.bundleId
      }
      const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${shellQuote(value)}\n`).join("")
      return { variables, env: yield* file("env.sh", exports, 0o644), exports }
    })
    const { env, exports, variables } = yield* Effect.mapError(write, filesFailed)
    yield* Console.log(
      options.json
        ? jsonLine({ event: "listening", origin: apns.origin, port: apns.port, env, variables })
        : `${
          screen.fit(`A mock APNs listens on ${apns.origin}. It accepts any topic and any well-formed device token.`)
        }\n\n` +
          `In another terminal:\n\n${exports}\n` +
          `or:  . ${shellQuote(env)}\n\n` +
          `then:  ${invocation(process.env, process.argv[1])} send 0123456789abcdef --title Hello\n\nCtrl-C ends it.\n`
    )

    const print = Effect.flatMap(Queue.takeBetween(received, 1, backlog), (requests) => {
      const lines = Array.from(requests, (request) => options.json ? record(request) : line(request, screen))
      if (unseen > 0) {
        lines.push(
          options.json ? jsonLine({ event: "notShown", count: unseen }) : `... and ${unseen} more, not shown`
        )
        unseen = 0
      }
      return Console.log(lines.join("\n"))
    })
    return yield* Effect.onInterrupt(Effect.forever(print), () =>
      Effect.flatMap(apns.stats, ({ accepted, received }) =>
        Console.log(
          options.json
            ? jsonLine({ event: "stopped", received, accepted, rejected: received - accepted })
            : `\nReceived ${received}: ${accepted} accepted, ${received - accepted} rejected.`
        )))
  }).pipe(Effect.scoped), {
  what:
    "Runs a mock APNs on this machine: a real HTTP/2 server over TLS that checks what APNs checks, and prints what it receives until Ctrl-C.",
  examples: [
    ["apns mock", "then copy the lines that it prints into another terminal"],
    ["apns mock --port 2197 --dir ./mock", "a fixed port, and files that stay"],
    ["apns mock --unregister 0123456789abcdef", "a token that is dead"]
  ]
})
