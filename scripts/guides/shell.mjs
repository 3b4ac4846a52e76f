/**
 * How each block of a shell (and of JavaScript) in a guide is run, by page and heading: `run` does it, or `why` says why it
 * cannot. `context.shell(text, environment)` runs a text by bash in the current directory and gives what it prints; `apns` is the
 * command, and `npx` knows the command and tsx. `needs` is a program that may be missing.
 */
import assert from "node:assert/strict"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const installs =
  "it installs from the registry: scripts/check-packages.mjs does so with the packages as they will be published"
const credentials = { APNS_KEY_FILE: "AuthKey_ABC123DEFG.p8", APNS_KEY_ID: "ABC123DEFG", APNS_TEAM_ID: "DEF123GHIJ" }
const token = "0123456789abcdef"

/** A text of a guide without what differs each time. */
const general = (text) => text.trim().replace(uuid, "UUID").replace(/\d\d:\d\d:\d\d\.\d{3}/g, "TIME")

/** The block without language below a heading: what the command prints. */
const shown = ({ blocks }, page, heading, number) =>
  blocks(page).filter((block) => block.heading === heading && block.language === "")[number].text

const showsTheInbox = async (context, text) => {
  const { HOME, inbox } = await context.startInbox(`${text.trim()} --port 0 --mock-port 0`)
  const printed = inbox.replaceAll(HOME, "/home/you").replace(/localhost:\d+/g, "localhost:PORT")
  const guide = shown(context, "docs/inbox.md", "Start", 0).replace(/localhost:\d+/g, "localhost:PORT")
  for (const line of guide.split("\n").filter((line) => line !== "")) {
    const pattern = line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ABC123DEFG|DEF123GHIJ/g, "[A-Z0-9]{10}")
    assert.match(printed, new RegExp(`^${pattern}$`, "m"))
  }
}

const tryIt = "Try it, without Apple and without a device"

export const shell = {
  "README.md > effect-apns (sh)": { why: "it is the quickstart and the tests, which CI runs" },
  "README.md > Send (sh)": { why: installs },
  "docs/apple.md > 5. Send (sh)": {
    run: async ({ shell }, text) => {
      assert.match(await shell(text), /^Accepted: apns-id /m)
    }
  },
  "docs/benchmarks.md > Benchmarks (sh)": { why: "it takes minutes of a quiet machine" },
  "docs/cli.md > The `apns` command (sh)": {
    run: async ({ shell }, text) => {
      assert.match(await shell(text.replace(/^npm install.*$/m, "")), /^COMMANDS$/m)
    }
  },
  [`docs/cli.md > ${tryIt} (sh)`]: {
    run: async (context, text) => {
      context.mock = await context.startMock(text)
    }
  },
  [`docs/cli.md > ${tryIt} (sh) #2`]: {
    run: async (context, text) => {
      const { environment, until } = context.mock
      assert.equal(general(await context.shell(text, environment)), general(shown(context, "docs/cli.md", tryIt, 0)))
      const printed = await until(/\n {2}\{.*\}\n/)
      assert.ok(general(printed).endsWith(general(shown(context, "docs/cli.md", tryIt, 1))), printed)
    }
  },
  "docs/cli.md > Credentials (sh)": {
    run: async ({ shell }, text) => {
      writeFileSync("lunch.json", JSON.stringify({ aps: { alert: { title: "Lunch", body: "At noon?" } } }))
      assert.equal((await shell(text)).match(/^Accepted: apns-id /gm)?.length, 2)
    }
  },
  "docs/cli.md > Bulk (sh)": {
    run: async ({ read, shell }, text) => {
      writeFileSync("tokens.txt", `# tokens\n${token}\n\ndead01\n`)
      writeFileSync("news.json", JSON.stringify({ aps: { alert: "We are back" } }))
      // a rejection ends a command with 1; the second one has an output of its own
      const [first, second] = text.split("\n")
      await shell(`${first} || test $? = 1`, { ...credentials, APNS_TOPIC: "com.example.app" })
      await shell(second.replace("results.ndjson", "more.ndjson"), { ...credentials, APNS_TOPIC: "com.example.app" })
      const lines = read("results.ndjson").trim().split("\n").map((line) => JSON.parse(line))
      assert.deepEqual(lines.flatMap(({ outcome }) => outcome ?? []).sort(), ["accepted", "rejected"])
    }
  },
  "docs/cli.md > Bulk (sh) #2": {
    needs: "jq",
    run: async ({ shell }, text) => {
      assert.equal(await shell(text), "dead01\n")
    }
  },
  "docs/cli.md > Completions (sh)": {
    run: async ({ folder, shell }, text) => {
      const HOME = join(folder, "somebody")
      mkdirSync(join(HOME, "zsh"), { recursive: true })
      // the line for zsh is in the language of zsh
      await shell(text.replace("${fpath[1]}", "$HOME/zsh"), { HOME })
      for (
        const file of [
          ".local/share/bash-completion/completions/apns",
          "zsh/_apns",
          ".config/fish/completions/apns.fish"
        ]
      ) {
        assert.match(readFileSync(join(HOME, file), "utf8"), /apns/)
      }
    }
  },
  "docs/client.md > Without Effect (sh)": { why: installs },
  "docs/credentials.md > The shape of the key (sh)": {
    run: async ({ shell }, text) => {
      const ids = { APNS_KEY_ID: "ABC123DEFG", APNS_TEAM_ID: "DEF123GHIJ", APNS_TOPIC: "com.example.app" }
      for (const line of text.split("\n")) {
        assert.match(await shell(`${line}\napns send ${token} --body Hi`, ids), /^Accepted: /, line)
      }
    }
  },
  "docs/inbox.md > Start (sh)": { run: showsTheInbox },
  "docs/inbox.md > Start (js)": {
    run: async ({ apns, script }, text) => {
      const { credentials: { keyId, teamId }, origin } = apns
      const rest = `const note = new apn.Notification({ topic: "com.example.app", alert: "Hello" })
console.log(JSON.stringify(await provider.send(note, ["cafe01"])))
provider.shutdown()`
      const printed = await script(`${text}\n${rest}`, {
        APNS_CA_FILE: "ca.pem",
        APNS_ENDPOINT: origin,
        APNS_KEY_FILE: "AuthKey_ABC123DEFG.p8",
        APNS_KEY_ID: keyId,
        APNS_TEAM_ID: teamId
      })
      assert.match(printed, /^\{"sent":\[\{"device":"cafe01"/)
    }
  },
  "docs/inbox.md > End-to-end tests (sh)": {
    run: async ({ inbox, shell }, text) => {
      const url = await inbox.url()
      const [printed] = await Promise.all([
        shell(text.replace("http://localhost:2198/", url)),
        inbox.sendLater("0123456789abcdef", "Lunch")
      ])
      assert.equal(JSON.parse(printed).title, "Lunch")
    }
  },
  "docs/migration.md > @parse/node-apn (js)": { why: "it is what one writes with the other library" },
  "docs/migration.md > apns2 (js)": { why: "it is what one writes with the other library" },
  "docs/mutation.md > Mutation testing (sh)": { why: "it takes hours" },
  "docs/observability.md > To Prometheus (sh)": { why: `${installs}; the versions are compared below` },
  "docs/observability.md > Looking at the wire (sh)": { why: "it captures what a network card carries, as root" },
  "docs/outbox.md > The outbox (sh)": { why: `${installs}; the versions are compared below` },
  "docs/outbox.md > Try it: a crash survived (sh)": { why: "npm run examples runs it" },
  "docs/performance.md > Memory for fibers (sh)": { why: "server.js is the reader's" },
  "docs/start.md > 1. See it work (sh)": { why: "it clones the repository; CI runs the quickstart" },
  "docs/start.md > 2. In your own project (sh)": { why: installs },
  "docs/start.md > 2. In your own project (sh) #2": {
    run: async ({ blocks, shell }, text) => {
      const hello = blocks("docs/start.md").find((block) => block.text.startsWith("// hello.ts"))
      writeFileSync("hello.ts", hello.text)
      assert.match(await shell(text), /^accepted as [-0-9a-f]{36}\ndelete the token, gone since .*\d{4}/)
    }
  },
  "docs/start.md > 3. See your pushes (sh)": { run: showsTheInbox },
  "docs/troubleshooting.md > The certificate is refused (sh)": {
    run: async ({ shell }, text) => {
      assert.match(await shell(text), /com\.example\.app[\s\S]*notAfter=/)
    }
  },
  "docs/troubleshooting.md > No connection (sh)": { why: "it connects to Apple" },
  "docs/troubleshooting.md > The key file cannot be read (sh)": {
    run: async ({ shell }, text) => {
      assert.match(await shell(text), /^Private-Key: \(256 bit/)
    }
  },
  "packages/cli/README.md > @effect-apns/cli (sh)": {
    why: "it is what the guide to the command shows, in fewer lines"
  },
  "packages/inbox/README.md > @effect-apns/inbox (sh)": { run: showsTheInbox }
}
