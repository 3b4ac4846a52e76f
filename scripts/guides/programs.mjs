/**
 * How each block of TypeScript in a guide is run, by page and heading. It has one of
 *
 * - `prints`: it is a program, and runs in a process of its own, which must exit with 0 and print this. `globals` is the text
 *   of a module that defines what the block declares; `append` is text behind it.
 * - `run`: it is a part of a program. It is imported (`append` adds exports), then used like this; `globals` defines what it
 *   declares.
 * - `why`: it cannot run, for this reason.
 */
import { Duration, Effect, Option, Redacted, Stream } from "effect"
import { Notification, Rejection, send } from "effect-apns"
import assert from "node:assert/strict"

const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
const accepted = new RegExp(`accepted as ${uuid}`)

/** A program that sends one notification through a pool that the block makes a Layer of. */
const sendsBy = (name) => ({
  run: async ({ run }, module) => {
    const { status } = await run(
      send({ token: "cafe01", topic: "com.example.app", notification: Notification.alert({ alert: "Hello" }) }).pipe(
        Effect.map(() => ({ status: 200 })),
        Effect.provide(module[name])
      )
    )
    assert.equal(status, 200)
  }
})

/** One block that exports functions that make an Effect: each gives a receipt. */
const receipts = (...calls) => ({
  run: async ({ run }, module) => {
    for (const [name, ...args] of calls) {
      const made = args.length === 0 ? module[name] : module[name](...args)
      const { apnsId } = await run(made)
      assert.match(apnsId, new RegExp(`^${uuid}$`), name)
    }
  }
})

const declared = "const show = (name) => async (...args) => { console.log(name, ...args) }\n"

export const programs = {
  "README.md > Send (ts)": { prints: [accepted] },
  "README.md > Send (ts) #2": { globals: "globalThis.token = \"cafe01\"", prints: [] },
  "docs/client.md > Without Effect (ts)": {
    globals: `${declared}globalThis.token = "cafe01"; globalThis.deleteToken = show("deleted")`,
    prints: [new RegExp(`^${uuid} 1$`, "m")]
  },
  "docs/client.md > Without Effect (ts), a dead token": {
    of: "docs/client.md > Without Effect (ts)",
    globals: `${declared}globalThis.token = "dead01"; globalThis.deleteToken = show("deleted")`,
    prints: [/^deleted dead01 \d{4}-\d\d-\d\dT/m]
  },
  "docs/client.md > Many (ts)": {
    globals: `${declared}const { createClient } = await import("effect-apns/client")
globalThis.client = await createClient({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ", topic: "com.example.app" })
globalThis.tokens = (async function*() { yield "cafe01"; yield "dead01" })()
globalThis.deleteToken = show("deleted")`,
    append: "await client.close()",
    prints: [/^deleted dead01$/m]
  },
  "docs/connection.md > Connection (ts)": { prints: [/200/] },
  "docs/credentials.md > Token signing key (ts)": {
    run: async ({ files, run }, { fromFile, fromSecret }) => {
      const file = await run(fromFile)
      const secret = await run(fromSecret(Redacted.make(files.key)))
      assert.equal(file.identity, secret.identity)
    }
  },
  "docs/credentials.md > Provider tokens, and several processes (ts)": {
    run: async ({ run }, { own }) => {
      assert.equal((await run(own)).sharing, "none")
    }
  },
  "docs/credentials.md > Certificate (ts)": {
    run: async ({ files, run }, { fromVariable, p12, pem, two }) => {
      const identities = [
        await run(pem),
        await run(two),
        await run(p12),
        await run(fromVariable(Redacted.make(files.openP12)))
      ]
        .map(({ identity }) => identity)
      assert.equal(new Set(identities).size, 1)
    }
  },
  "docs/credentials.md > Proxies (ts)": {
    globals: async ({ credentials, run }) => ({ credentials: await run(credentials) }),
    run: async ({ run }, module) => {
      // nobody is at proxy.example: the pool says so
      const error = await run(Effect.flip(
        send({
          token: "cafe01",
          topic: "com.example.app",
          notification: Notification.alert({ alert: "x" }),
          timeout: "1 seconds"
        })
          .pipe(Effect.provide(module.ApnsLive))
      ))
      assert.match(error.message, /proxy\.example/)
      await sendsBy("ApnsFromEnv").run({ run }, module)
    }
  },
  "docs/credentials.md > From the environment (ts)": {
    environment: {
      APNS_KEY_FILE: "AuthKey_ABC123DEFG.p8",
      APNS_KEY_ID: "ABC123DEFG",
      APNS_TEAM_ID: "DEF123GHIJ",
      APNS_TOPIC: "com.example.app"
    },
    prints: []
  },
  "docs/credentials.md > From the environment (ts) #2": {
    environment: ({ files }) => ({
      PUSH_HOST: "development",
      PUSH_KEY: files.key,
      PUSH_KEY_ID: "ABC123DEFG",
      PUSH_TEAM_ID: "DEF123GHIJ"
    }),
    ...sendsBy("ApnsLive")
  },
  "docs/inbox.md > End-to-end tests (ts)": {
    append: "export { test }",
    run: async ({ inbox, run }, { test }) => {
      // its own port instead of the one that the guide shows, and somebody who sends
      const [found] = await Promise.all([
        inbox.redirected(() => run(test)),
        inbox.sendLater("0123456789abcdef", "Lunch")
      ])
      assert.equal(found, true)
    }
  },
  "docs/inbox.md > End-to-end tests (ts) #2": {
    append: "export { test }",
    run: async ({ run }, { test }) => {
      // nobody sends a call here: it waits
      assert.equal((await run(Effect.exit(Effect.timeoutOption(test, "300 millis"))))._tag, "Success")
    }
  },
  "docs/inbox.md > End-to-end tests (ts) #3": {
    append: "export { program }",
    says: /see the pushes at http:\/\/localhost:\d+/,
    run: ({ run }, { program }) => run(program)
  },
  "docs/inbox.md > What is wrong, in your own tests (ts)": {
    prints: [/^(warning|error|note|info): .+ \(https:\/\/.+\)$/m]
  },
  "docs/migration.md > aapns (ts)": { prints: [] },
  "docs/migration.md > @parse/node-apn (ts)": {
    globals: `${declared}globalThis.tokens = ["cafe01", "dead01"]; globalThis.remove = show("removed")`,
    prints: [/^removed dead01$/m]
  },
  "docs/migration.md > apns2 (ts)": {
    globals:
      `${declared}globalThis.signingKey = (await import("node:fs")).readFileSync("key.p8", "utf8"); globalThis.token = "bad001"; globalThis.remove = show("removed")`,
    prints: [/^removed bad001$/m]
  },
  "docs/observability.md > Metrics (ts)": {
    run: async ({ run }, { accepted, waiting }) => {
      await run(send({ token: "cafe01", notification: Notification.alert({ alert: "x" }) }))
      assert.ok((await run(accepted)) >= 1)
      assert.equal(await run(waiting), 0)
    }
  },
  "docs/observability.md > To Prometheus (ts)": {
    run: async ({ run }, { TelemetryLive }) => {
      const text = await run(
        Effect.zipRight(
          send({ token: "cafe01", notification: Notification.alert({ alert: "x" }) }),
          Effect.promise(async () => (await globalThis.fetch("http://localhost:9464/metrics")).text())
        ).pipe(Effect.provide(TelemetryLive))
      )
      assert.match(text, /apns_outcomes_total\{.*outcome="200".*\} \d+/)
      assert.match(text, /apns_latency_seconds_bucket/)
    }
  },
  "docs/observability.md > Traces (ts)": receipts(["orderShipped", "7", "cafe01"]),
  "docs/observability.md > Looking at the wire (ts)": {
    environment: { SSLKEYLOGFILE: "keys.log" },
    globals: async ({ credentials, run }) => ({ credentials: await run(credentials) }),
    run: async (context, module) => {
      await sendsBy("ApnsLive").run(context, module)
      assert.match(context.read("keys.log"), /^CLIENT_TRAFFIC_SECRET_0 /m)
    }
  },
  "docs/outbox.md > Write it down (ts)": {
    run: async ({ outbox }, { OutboxLive, ship }) => {
      await outbox.prepared(OutboxLive, async (run, progress) => {
        await run(ship("17", "cafe01"))
        assert.equal((await run(progress("shipped-17"))).total, 1)
      })
    }
  },
  "docs/outbox.md > Write it down (ts) #2": {
    why: "it needs a PostgreSQL server: the tests of the outbox start one"
  },
  "docs/outbox.md > Write it down (ts) #3": {
    globals: () => ({ tokens: Stream.fromIterable(["cafe01", "cafe02"]) }),
    run: async ({ outbox }, { news }) => {
      await outbox.with(undefined, async (run, progress) => {
        await run(news)
        assert.equal((await run(progress("news-17"))).total, 2)
      })
    }
  },
  "docs/outbox.md > Send it (ts)": {
    run: ({ outbox }, { RunnerLive }) => outbox.sends(RunnerLive, ["cafe01", "dead01"])
  },
  "docs/outbox.md > Tenants and rates (ts)": {
    run: ({ outbox }, { RunnerLive }) => outbox.sends(RunnerLive, ["cafe01"])
  },
  "docs/outbox.md > When a COMMIT fails (ts)": {
    run: async ({ outbox }, { ship }) => {
      await outbox.prepared(undefined, async (run, progress) => {
        await run(ship("18", "cafe01"))
        assert.equal((await run(progress("shipped-18"))).total, 1)
      })
    }
  },
  "docs/outcomes.md > What you can get, and what to do (ts)": {
    globals: ({ calls }) => ({ deleteToken: calls.effect("delete"), sendLater: calls.effect("later") }),
    run: async ({ calls, run }, { notify }) => {
      for (const token of ["cafe01", "dead01"]) await run(notify(token))
      assert.deepEqual(calls.made, [["delete", "dead01"]])
    }
  },
  "docs/outcomes.md > Duplicates (ts)": receipts(["invoicePaid", "cafe01", "1234"]),
  "docs/performance.md > sendAll over send (ts)": {
    globals: () => ({ tokens: ["cafe01", "cafe02"] }),
    run: async ({ run }, { program }) => {
      assert.equal((await run(program)).length, 2)
    }
  },
  "docs/pool.md > Pool (ts)": sendsBy("ApnsLive"),
  "docs/pool.md > Requests (ts)": {
    run: ({ run }, { program }) => run(program)
  },
  "docs/pool.md > Many tenants (ts)": {
    globals: ({ credentials }) => ({ credentialsOf: () => credentials }),
    run: async ({ run }, { PoolsLive, notify }) => {
      const { attempts } = await run(notify("acme", "com.example.app", "cafe01").pipe(Effect.provide(PoolsLive)))
      assert.equal(attempts, 1)
    }
  },
  "docs/production.md > Frozen processes: Lambda and friends (ts)": {
    append: "export { runtime }",
    run: async (_, { handler, runtime }) => {
      assert.match((await handler({ token: "cafe01" })).apnsId, new RegExp(uuid))
      assert.deepEqual(await handler({ token: "dead01" }), { deleted: "dead01" })
      await runtime.dispose()
    }
  },
  "docs/production.md > Health (ts)": {
    run: async ({ run }, { ready }) => {
      await run(send({ token: "cafe01", notification: Notification.alert({ alert: "x" }) }))
      assert.equal(await run(ready), true)
    }
  },
  "docs/retry-later.md > More time, in the same process (ts)": receipts(["reminder", "cafe01", "7"]),
  "docs/retry-later.md > Later, in the same process (ts)": {
    run: async ({ run }, { laterBy, sendEventually }) => {
      const notification = Notification.alert({ alert: "x" })
      await run(sendEventually({ token: "cafe01", notification }))
      const dead = await run(Effect.flip(sendEventually({ token: "dead01", notification })))
      assert.equal(dead._tag, "Unregistered")
      assert.ok(Option.isNone(laterBy(dead)))
      const busy = Rejection.make({ reason: "TooManyRequests" })
      assert.ok(Option.exists(laterBy(busy), (wait) => Duration.greaterThan(wait, "1 seconds")))
    }
  },
  "docs/sending.md > send (ts)": { says: accepted, run: ({ run }, { program }) => run(program) },
  "docs/sending.md > sendAll and sendEach (ts)": {
    globals: () => ({
      tokens: Stream.fromIterable(["cafe01", "dead01"]),
      users: Stream.fromIterable([{ token: "cafe01", name: "Jenna" }, { token: "dead01", name: "Frank" }])
    }),
    says: /^Frank /m,
    run: async ({ run }, { accepted, greetings }) => {
      assert.equal(await run(accepted), 1)
      await run(greetings)
    }
  },
  "docs/sending.md > Push types (ts)": {
    says: /^true\n[\s\S]*badge/m,
    run: ({ run }, { alarm, long }) =>
      Promise.all([alarm, long].map((notification) => run(send({ token: "cafe01", notification }))))
  },
  "docs/sending.md > Live Activities (ts)": receipts(["arriving", "cafe01", 3]),
  "docs/sending.md > Broadcasts (ts)": {
    run: async ({ run }, { program }) => {
      assert.match(await run(program), /./)
    }
  },
  "docs/special-cases.md > Wallet passes (ts)": {
    run: async ({ run }, { PassesLive, passChanged }) => {
      await run(passChanged("cafe01").pipe(Effect.provide(PassesLive)))
    }
  },
  "docs/special-cases.md > Websites in Safari (ts)": receipts(["article", "cafe01", "lunch"]),
  "docs/special-cases.md > Device management (MDM) (ts)": receipts([
    "wakeUp",
    "cafe01",
    "com.apple.mgmt.External.7",
    "magic"
  ]),
  "docs/special-cases.md > Push types that Apple adds later (ts)": {
    run: async ({ run }, { later }) => {
      // the mock, as APNs today, does not know the type: that it says so shows what arrived
      assert.equal((await run(Effect.flip(later("cafe01")))).reason, "InvalidPushType")
    }
  },
  "docs/start.md > 2. In your own project (ts)": { prints: [accepted, /delete the token, gone since .*\d{4}/] },
  "docs/start.md > 2. In your own project (ts) #2": sendsBy("ApnsLive"),
  "docs/testing.md > MockApns (ts)": { test: true },
  "docs/testing.md > MockApns (ts) #2": {
    run: async ({ apnsContext, run }, { tenHaveArrived }) => {
      await run(
        Effect.forEach(
          Array.from({ length: 10 }),
          () => send({ token: "cafe01", notification: Notification.alert({ alert: "x" }) }),
          {
            concurrency: 10,
            discard: true
          }
        )
      )
      const arrived = await run(Effect.timeoutOption(Effect.provide(tenHaveArrived, apnsContext), "100 millis"))
      assert.ok(arrived !== undefined)
    }
  },
  "docs/testing.md > Without a socket (ts)": { test: true },
  "docs/tokens.md > Delete (ts)": {
    globals: ({ calls }) => ({
      db: {
        devices: Stream.fromIterable(
          ["cafe01", "dead01", "no token"].map((token) => ({ token, registeredAt: undefined }))
        ),
        deleteIfNotRegisteredSince: calls.effect("delete unless newer"),
        deleteToken: calls.effect("delete")
      }
    }),
    run: async ({ calls, run }, { announce }) => {
      await run(announce)
      assert.deepEqual(calls.made.map(([what, token]) => `${what} ${token}`).sort(), [
        "delete no token",
        "delete unless newer dead01"
      ])
    }
  },
  "packages/core/README.md > @effect-apns/core (ts)": {
    run: async ({ run }, { program }) => {
      assert.equal((await run(program)).status, 200)
    }
  },
  "packages/http2/README.md > @effect-apns/http2 (ts)": {
    why: "it connects to port 8080 without TLS, and shows how the session is driven; its tests do the same"
  },
  "packages/inbox/README.md > @effect-apns/inbox (ts)": {
    append: "export { program }",
    says: /open http:\/\/localhost:\d+\S*, and point your server at https:/,
    // nobody sends: it waits until it is interrupted
    run: ({ run }, { program }) => run(Effect.timeoutOption(program, "1 seconds"))
  },
  "packages/models/README.md > @effect-apns/models (ts)": { prints: [/"loc-key":"LUNCH_INVITE"/, /_tag: 'Right'/] },
  "packages/outbox/README.md > @effect-apns/outbox (ts)": {
    environment: {
      APNS_KEY_FILE: "AuthKey_ABC123DEFG.p8",
      APNS_KEY_ID: "ABC123DEFG",
      APNS_TEAM_ID: "DEF123GHIJ",
      APNS_TOPIC: "com.example.app"
    },
    prints: [/accepted: 1/]
  },
  "packages/pool/README.md > @effect-apns/pool (ts)": {
    environment: { APNS_KEY_FILE: "AuthKey_ABC123DEFG.p8", APNS_KEY_ID: "ABC123DEFG", APNS_TEAM_ID: "DEF123GHIJ" },
    prints: [accepted]
  },
  "packages/testing/README.md > @effect-apns/testing (ts)": { test: true }
}
