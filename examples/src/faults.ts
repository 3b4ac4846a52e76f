/**
 * What becomes of a notification when the server or the network fails: the pool repairs what it can, and tells the truth
 * about the rest.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Notification, send } from "effect-apns"

const attempt = (what: string, options: { readonly collapseId?: string; readonly timeout?: "200 millis" } = {}) =>
  send({ token: "cafe01", notification: Notification.alert({ alert: "Hello" }), ...options }).pipe(
    Effect.matchEffect({
      onSuccess: ({ attempts }) => Console.log(`  ✓ ${what}: accepted at attempt ${attempts}`),
      onFailure: (error) => Console.log(`  ✗ ${what}: ${error._tag}: ${error.message}`)
    })
  )

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns

  yield* Console.log("What the pool repairs:")
  yield* apns.next(MockApns.refuseStream, MockApns.refuseStream)
  yield* attempt("refused twice")
  yield* apns.next(MockApns.goawayBefore())
  yield* attempt("the server goes away before it looked at it")
  yield* apns.next(MockApns.goawayAfter())
  yield* attempt("the server goes away, and answers first")
  yield* apns.next(MockApns.expiredProviderToken)
  yield* attempt("the provider token has expired")
  yield* apns.next(MockApns.unavailable({ retryAfter: "1 second" }))
  yield* attempt("unavailable, come again in a second")

  yield* Console.log("What nobody can know, and who may send it again:")
  yield* apns.next(MockApns.dropAfter)
  yield* attempt("the connection drops")
  yield* apns.next(MockApns.dropAfter)
  yield* attempt("the same, with a collapse id", { collapseId: "hello" })
  yield* apns.next(MockApns.stall)
  yield* attempt("no answer", { timeout: "200 millis" })

  yield* Console.log("What APNs says no to:")
  yield* apns.next(MockApns.reject("TopicDisallowed"))
  yield* attempt("the key is not good for this app")
  yield* apns.next(MockApns.reject({ reason: "InventedTomorrow", status: 400 }))
  yield* attempt("a reason that nobody knows yet")

  const { accepted, received, requests } = yield* apns.stats
  yield* Console.log(`The mock saw ${requests} requests, processed ${received} and accepted ${accepted}.`)
})

NodeRuntime.runMain(Effect.provide(program, MockApns.layerPool({ size: 2 })))
