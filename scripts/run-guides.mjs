// Runs the code of the guides and of the README files, as it stands there, against the mock: TypeScript, and what is typed
// into a shell. What goes to Apple's hosts is led to this machine (guides/redirect.mjs); files that a guide names, such as
// AuthKey_ABC123DEFG.p8, are in the current directory. guides/programs.mjs and guides/shell.mjs say for each block what it must
// do, or why it cannot run.
//
//   node --conditions=@effect-apns/source --import tsx scripts/run-guides.mjs [TEXT]   # only blocks whose place has this text
import { Inbox } from "@effect-apns/inbox"
import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { Certificates, MockApns, ProviderKey } from "@effect-apns/testing"
import { NodeContext } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime, Scope } from "effect"
import { ApnsPool, Channels, Credentials, Endpoint, Notification, send } from "effect-apns"
import assert from "node:assert/strict"
import { execFile, execFileSync, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { codeBlocks } from "./code-blocks.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const wanted = process.argv[2] ?? ""

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).sort().map((name) => `docs/${name}`),
  ...readdirSync(join(root, "packages")).map((name) => `packages/${name}/README.md`)
    .filter((file) => existsSync(join(root, file)))
]

/** The blocks that can be run by where they stand: page, heading, and a number from the second on. */
const blocks = new Map()
for (const page of pages) {
  const numbers = new Map()
  for (const block of codeBlocks(join(root, page)).filter(({ language }) => ["js", "sh", "ts"].includes(language))) {
    const place = `${page} > ${block.heading} (${block.language})`
    const number = (numbers.get(place) ?? 0) + 1
    numbers.set(place, number)
    blocks.set(number === 1 ? place : `${place} #${number}`, block)
  }
}

mkdirSync(join(root, "build"), { recursive: true })
const folder = mkdtempSync(join(root, "build", "guides-"))
process.on("exit", () => {
  rmSync(folder, { recursive: true, force: true })
})
process.chdir(folder)

const appleHosts = [
  "api.push.apple.com",
  "api.sandbox.push.apple.com",
  "api-manage-broadcast.push.apple.com",
  "api-manage-broadcast.sandbox.push.apple.com"
]
const scope = Effect.runSync(Scope.make())
const authority = await Effect.runPromise(Certificates.makeAuthority())
const apns = await Effect.runPromise(
  Effect.gen(function*() {
    const { cert, key } = authority.server({ hosts: [...Certificates.loopbackHosts, ...appleHosts] })
    const apns = yield* MockApns.make({
      key: yield* ProviderKey.make({ keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }),
      tls: { cert, key, ca: authority.ca }
    })
    yield* apns.unregister("dead01")
    yield* apns.rejectToken("bad001")
    return apns
  }).pipe(Scope.extend(scope))
)

// the files that guides name
const client = apns.authority.client({ bundleId: "com.example.app" })
writeFileSync("ca.pem", authority.ca)
writeFileSync("AuthKey_ABC123DEFG.p8", apns.credentials.key)
writeFileSync("key.p8", apns.credentials.key)
writeFileSync("push.pem", client.cert + client.key)
writeFileSync("push.crt.pem", client.cert)
writeFileSync("plain.key.pem", client.key)
const openssl = (args) => execFileSync("openssl", args, { stdio: "ignore" })
const passphrase = "pass:open sesame"
openssl(["pkcs8", "-topk8", "-in", "plain.key.pem", "-out", "push.key.pem", "-passout", passphrase])
openssl(["pkcs12", "-export", "-in", "push.pem", "-out", "push.p12", "-passout", passphrase])
openssl(["pkcs12", "-export", "-in", "push.pem", "-out", "open.p12", "-passout", "pass:"])
const wallet = apns.authority.client({ bundleId: "pass.com.example.loyalty" })
writeFileSync("pass.pem", wallet.cert + wallet.key)
openssl(["pkcs12", "-export", "-in", "pass.pem", "-out", "pass.p12", "-passout", "pass:"])
const files = { key: apns.credentials.key, openP12: readFileSync("open.p12").toString("base64") }

const GUIDES_MOCK_PORT = String(apns.port)
const GUIDES_MOCK_CA = join(folder, "ca.pem")
Object.assign(process.env, { GUIDES_MOCK_CA, GUIDES_MOCK_PORT })
const redirect = new URL("./guides/redirect.mjs", import.meta.url).href
await import(redirect)
const { programs } = await import("./guides/programs.mjs")
const { shell: shellBlocks } = await import("./guides/shell.mjs")

// the command, as its tests bundle it
const { default: bundleCommand } = await import("../packages/cli/test/utils/command.ts")
await bundleCommand()
mkdirSync("bin")
const executable = (name, text) => writeFileSync(join("bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
executable("apns", `exec "${process.execPath}" "${process.env.APNS_TEST_COMMAND}" "$@"`)
executable(
  "npx",
  `case $1 in
@effect-apns/cli) shift; exec apns "$@" ;;
tsx) shift; exec "${process.execPath}" --conditions=@effect-apns/source --import tsx "$@" ;;
*) exit 127 ;;
esac`
)
executable("psql", "echo 00000000000000a1; echo 00000000000000a2")

const credentials = Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
const options = { endpoint: Endpoint.development, topic: "com.example.app", credentials }
const runtime = ManagedRuntime.make(
  Layer.mergeAll(
    ApnsPool.layer({ ...options, size: 2 }),
    Channels.layer({
      endpoint: Endpoint.development,
      topic: "com.example.app",
      bundleId: "com.example.app",
      credentials
    }),
    Logger.minimumLogLevel(LogLevel.None)
  ).pipe(Layer.provideMerge(NodeContext.layer))
)
const run = (effect) => runtime.runPromise(effect)

const calls = {
  made: [],
  effect: (name) => (...args) => Effect.sync(() => void calls.made.push([name, ...args]))
}

/** The one inbox of the guides' port 2198. */
const inboxOf = Effect.runSync(Effect.cached(
  Inbox.make({ page: { port: 0 }, mock: { port: 0 }, port: 0 }).pipe(
    Scope.extend(scope),
    Effect.provide(NodeContext.layer)
  )
))
const inbox = {
  redirected: async (use) => {
    const { url } = await Effect.runPromise(inboxOf)
    const { fetch } = globalThis
    globalThis.fetch = (input, init) => fetch(String(input?.url ?? input).replace("http://localhost:2198/", url), init)
    try {
      return await use()
    } finally {
      globalThis.fetch = fetch
    }
  },
  sendLater: async (token, title) => {
    const { mock } = await Effect.runPromise(inboxOf)
    const { key, keyId, teamId } = mock.credentials
    const { Redacted } = await import("effect")
    // until the test waits: what was there before does not count for it
    const again = send({ token, topic: "com.example.app", notification: Notification.alert({ alert: { title } }) })
      .pipe(
        Effect.delay("200 millis"),
        Effect.repeatN(4),
        Effect.provide(ApnsPool.layer({
          endpoint: mock.endpoint,
          ca: mock.ca,
          credentials: Credentials.token({ key: Redacted.make(key), keyId, teamId })
        }))
      )
    await Effect.runPromise(again)
  }
}

let databases = 0
const outbox = {
  /** Runs effects with an outbox on a database of their own. */
  with: (layer, use) => {
    const live = layer ??
      Outbox.layer().pipe(Layer.provideMerge(LibsqlFile.layer({ file: `outbox-${++databases}.db` })))
    const program = Effect.gen(function*() {
      const context = yield* Effect.context()
      const progress = (id) => Effect.flatMap(Outbox.Outbox, (_) => _.progress(id))
      yield* Effect.promise(() => use((effect) => Effect.runPromise(Effect.provide(effect, context)), progress))
    })
    return run(program.pipe(Effect.provide(live)))
  },
  /** With the tables that the shop of the guide has. */
  prepared: (layer, use) =>
    outbox.with(layer, async (runHere, progress) => {
      await runHere(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE orders (id TEXT, shipped INTEGER)`))
      await use(runHere, progress)
    }),
  /** A runner of the guide sends a campaign to these tokens. */
  sends: (RunnerLive, tokens) => {
    const both = Layer.provideMerge(
      Layer.merge(Outbox.layer(), RunnerLive),
      LibsqlFile.layer({ file: `outbox-${++databases}.db` })
    )
    return outbox.with(both, async (runHere) => {
      await runHere(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE devices (token TEXT)`
        for (const token of tokens) yield* sql`INSERT INTO devices ${sql.insert({ token })}`
        const { enqueue, progress } = yield* Outbox.Outbox
        yield* enqueue({ id: "news", tokens, notification: Notification.alert({ alert: "Hello" }) })
        yield* (yield* OutboxRunner.OutboxRunner).idle
        assert.equal((yield* progress("news")).left, 0)
      }))
    })
  }
}

const context = {
  apns,
  apnsContext: Layer.succeed(MockApns.MockApns, apns),
  calls,
  credentials,
  files,
  inbox,
  outbox,
  read: (name) => readFileSync(join(folder, name), "utf8"),
  run
}

const processes = new Set()
process.on("exit", () => {
  for (const child of processes) child.kill("SIGKILL")
})

const environment = (more) => {
  const PATH = `${join(folder, "bin")}:${process.env.PATH}`
  return {
    GUIDES_MOCK_CA,
    GUIDES_MOCK_PORT,
    HOME: folder,
    NODE_OPTIONS: `--import ${redirect}`,
    NO_COLOR: "1",
    PATH,
    ...more
  }
}

/** What a text prints by bash, where it ends with 0. */
context.shell = (text, more) =>
  new Promise((resolve, reject) => {
    execFile("bash", ["-e", "-c", text], { env: environment(more), timeout: 60_000 }, (error, out, err) => {
      if (error === null) resolve(out)
      else reject(new Error(`it ends with ${error.code ?? error.signal}:\n${text}\n${out}${err}`))
    })
  })

/** What runs until it is stopped, once it has printed this. */
const background = async (text, more, ready) => {
  const child = spawn("bash", ["-c", `exec ${text}`], { env: environment(more), stdio: ["ignore", "pipe", "inherit"] })
  processes.add(child)
  let printed = ""
  const until = (pattern) =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (pattern.test(printed)) resolve(printed)
      }
      child.stdout.on("data", look)
      child.once("close", () => reject(new Error(`it has ended:\n${text}\n${printed}`)))
      look()
    })
  child.stdout.setEncoding("utf8").on("data", (chunk) => printed += chunk)
  return { printed: await until(ready), until }
}
context.startMock = async (text) => {
  const { printed, until } = await background(text, {}, /Ctrl-C ends it/)
  const variables = [...printed.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm)].map(([, name, value]) => [name, value])
  return { environment: Object.fromEntries(variables), until }
}
let homes = 0
context.startInbox = async (text) => {
  const HOME = join(folder, `home-${++homes}`)
  mkdirSync(HOME)
  const { printed } = await background(text, { HOME }, /APNS_TOPIC=.*\n/)
  return { HOME, inbox: printed }
}
context.blocks = (page) => codeBlocks(join(root, page))
context.folder = folder
context.inbox.url = async () => (await Effect.runPromise(inboxOf)).url
context.script = (text, more) => {
  writeFileSync("script.mjs", text)
  return context.shell(`"${process.execPath}" script.mjs`, more)
}

let written = 0
const write = (text) => {
  const file = join(folder, `block-${++written}.ts`)
  writeFileSync(file, text)
  return file
}

const environmentOf = ({ environment }) => typeof environment === "function" ? environment(context) : environment ?? {}

/** A program, in a process of its own. */
const start = (text, use) =>
  new Promise((resolve, reject) => {
    const globals = use.globals === undefined ? [] : ["--import", pathToFileURL(write(use.globals)).href]
    const child = execFile(
      process.execPath,
      [
        "--conditions=@effect-apns/source",
        "--import",
        "tsx",
        "--import",
        redirect,
        ...globals,
        write(use.append === undefined ? text : `${text}\n${use.append}\n`)
      ],
      { cwd: folder, env: { ...process.env, ...environmentOf(use), NO_COLOR: "1" }, timeout: 60_000 },
      (_, out, err) => {
        try {
          assert.equal(child.exitCode, 0, `it ends with ${child.exitCode ?? child.signalCode}:\n${out}${err}`)
          for (const pattern of use.prints) assert.match(out, pattern)
          resolve()
        } catch (error) {
          reject(error)
        }
      }
    )
  })

/** A part of a program, in this one. */
const use = async (text, { append, environment, globals, run, says }) => {
  Object.assign(process.env, environmentOf({ environment }))
  Object.assign(globalThis, await globals?.(context))
  calls.made = []
  const said = []
  const { log } = console
  console.log = (...values) =>
    said.push(values.map((value) => typeof value === "string" ? value : JSON.stringify(value)).join(" "))
  try {
    const module = await import(pathToFileURL(write(append === undefined ? text : `${text}\n${append}\n`)).href)
    await run(context, module)
    if (says !== undefined) assert.match(said.join("\n"), says)
  } finally {
    console.log = log
  }
}

const problems = []
const counts = { ran: 0, not: 0, tests: 0 }
const used = new Set()
const attempt = async (place, what) => {
  try {
    await what()
    counts.ran++
    console.log(`ran      ${place}`)
  } catch (error) {
    problems.push(`${place}: ${error?.stack ?? error}`)
    console.log(`FAILED   ${place}: ${error?.stack ?? error}`)
  }
}
const separate = []
for (const [place, how] of Object.entries(programs)) {
  const block = blocks.get(how.of ?? place)
  used.add(how.of ?? place)
  if (block === undefined) problems.push(`${place}: there is no such block`)
  else if (!place.includes(wanted)) continue
  else if (how.test) counts.tests++
  else if (how.why !== undefined) {
    counts.not++
    console.log(`not run  ${place}: ${how.why}`)
  } else if (how.prints !== undefined) separate.push([place, block, how])
  else await attempt(place, () => use(block.text, how))
}
const isHere = (command) => command === undefined || spawnSync("which", [command]).status === 0
for (const [place, { needs, run, why: reason }] of Object.entries(shellBlocks)) {
  const why = reason ?? (isHere(needs) ? undefined : `${needs} is not here`)
  const block = blocks.get(place)
  used.add(place)
  if (block === undefined) problems.push(`${place}: there is no such block`)
  else if (!place.includes(wanted)) continue
  else if (why !== undefined) {
    counts.not++
    console.log(`not run  ${place}: ${why}`)
  } else await attempt(place, () => run(context, block.text))
}
for (const place of blocks.keys()) if (!used.has(place)) problems.push(`${place}: nothing says how it is run`)

// what is installed by a guide is what is used here
let versions = 0
for (const [place, { language, text }] of blocks) {
  if (language !== "sh") continue
  for (const [, name, range] of text.matchAll(/(?<=\s)((?:@[\w-]+\/)?[\w-]+)@(\^?\d[\w.]*)/g)) {
    const { version } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"))
    const minor = range.replace("^", "").split(".").slice(0, 2).join(".")
    versions++
    if (!version.startsWith(`${minor}.`)) {
      problems.push(`${place}: ${name}@${range} is installed there, and ${version} is used here`)
    }
  }
}

// two at a time: they are processes
const next = separate.values()
await Promise.all([0, 1].map(async () => {
  for (const [place, { text }, how] of next) await attempt(place, () => start(text, how))
}))

await runtime.dispose()
await Effect.runPromise(Scope.close(scope, await Effect.runPromiseExit(Effect.void)))
for (const problem of problems) console.error(`\n${problem}`)
console.log(
  `${counts.ran} blocks ran, ${counts.not} cannot run, ${counts.tests} are tests, ${versions} versions compared, ${problems.length} problems`
)
process.exit(problems.length > 0 ? 1 : 0)
