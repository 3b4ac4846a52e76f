/**
 * Real notifications over TLS and HTTP/2, to the mock APNs that ships with the library.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect, Either, Layer, Redacted, Stream } from "effect"
import { ApnsPool, Credentials, Notification, type Send, send, sendAll } from "effect-apns"

const topic = "com.example.app"
const token = (n: number) => n.toString(16).padStart(64, "0")

const report = (what: string, sending: Effect.Effect<{ readonly apnsId: string }, Send.SendError, ApnsPool.ApnsPool>) =>
  sending.pipe(
    Effect.matchEffect({
      onSuccess: ({ apnsId }) => Console.log(`  ✓ ${what}: accepted, apns-id ${apnsId}`),
      onFailure: (error) => Console.log(`  ✗ ${what}: ${error._tag}: ${error.message}`)
    })
  )

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  yield* Console.log(`A mock APNs listens on ${apns.origin}; the pool talks TLS and HTTP/2 to it.\n`)
  yield* apns.unregister(token(410))

  yield* report(
    "an alert",
    send({ token: token(1), topic, notification: Notification.alert({ alert: { title: "Lunch", body: "At noon?" } }) })
  )
  yield* report(
    "a localized alert that clears the badge",
    send({
      token: token(2),
      topic,
      notification: Notification.alert({
        alert: { title: "Lunch", body: Notification.localized("LUNCH_INVITE", ["Jenna", "Frank"]) },
        badge: 0,
        interruptionLevel: "time-sensitive",
        custom: { orderId: 7 }
      }),
      priority: 10,
      expiration: "none",
      collapseId: "lunch"
    })
  )
  yield* report(
    "a device that deleted the app",
    send({ token: token(410), topic, notification: Notification.alert({ alert: "Are you there?" }) })
  )
  yield* report(
    "a payload over the limit",
    send({ token: token(3), topic, notification: Notification.alert({ alert: "x".repeat(5000) }) })
  )
  yield* report(
    "a token that is none",
    send({ token: "../4242", topic, notification: Notification.alert({ alert: "Hello" }) })
  )
  yield* apns.next(MockApns.refuseStream, MockApns.refuseStream)
  yield* report(
    "refused twice by the server, then accepted",
    send({ token: token(4), topic, notification: Notification.alert({ alert: "Third time lucky" }) })
  )

  const count = 2000
  const started = yield* Clock.currentTimeMillis
  const accepted = yield* sendAll(Stream.range(1, count).pipe(Stream.map((n) => token(10_000 + n))), {
    topic,
    notification: Notification.alert({ alert: "To everyone" })
  }).pipe(
    Stream.filter(({ result }) => Either.isRight(result)),
    Stream.runCount
  )
  const millis = (yield* Clock.currentTimeMillis) - started
  yield* Console.log(`  ✓ a burst of ${count}: ${accepted} accepted in ${millis} ms`)

  const { attempts, completed, failed, size } = yield* Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.stats)
  yield* Console.log(
    `\nThe pool's ${size} connections sent ${attempts} requests: ${completed} answered, ${failed} failed. ` +
      `The mock received ${yield* apns.receivedCount}.`
  )
})

const PoolLive = Layer.unwrapEffect(Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const credentials = Credentials.token({
    key: Redacted.make(apns.credentials.key),
    keyId: apns.credentials.keyId,
    teamId: apns.credentials.teamId
  })
  return ApnsPool.layer({ endpoint: apns.endpoint, ca: apns.ca, credentials, size: 2 })
}))

program.pipe(
  Effect.provide(PoolLive),
  Effect.provide(MockApns.layer()),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
