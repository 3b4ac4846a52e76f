/**
 * A web service that answers at once and sends in the background: an outbox with room for so many, which is emptied
 * before the service ends.
 */
import { MockApns } from "@effect-apns/testing"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Either, Fiber, Layer, Mailbox, Stream } from "effect"
import { Notification, type Send, sendEach } from "effect-apns"
import { createServer } from "node:http"

class Outbox extends Context.Tag("Outbox")<Outbox, {
  /** False where there is no room: the caller may come again later. */
  readonly put: (notification: Send.SendOptions) => Effect.Effect<boolean>
}>() {
  static readonly Live = Layer.scoped(
    Outbox,
    Effect.gen(function*() {
      const mailbox = yield* Mailbox.make<Send.SendOptions>({ capacity: 1000, strategy: "dropping" })
      const worker = yield* sendEach(Mailbox.toStream(mailbox)).pipe(
        // what is rejected or lost ends here: log it, delete the token, or put it somewhere for later
        Stream.runForEach(({ result, token }) =>
          Console.log(`  ${token}: ${Either.isRight(result) ? "accepted" : result.left.message}`)
        ),
        Effect.forkScoped
      )
      // finalizers run in reverse: nothing more is taken in, the rest is sent, and only then the worker's scope ends
      yield* Effect.addFinalizer(() => Effect.zipRight(mailbox.end, Fiber.await(worker)))
      return { put: (notification) => mailbox.offer(notification) }
    })
  )
}

const shipped = HttpRouter.empty.pipe(
  HttpRouter.post(
    "/orders/:id/shipped/:token",
    Effect.gen(function*() {
      const { id = "", token = "" } = yield* HttpRouter.params
      const outbox = yield* Outbox
      const taken = yield* outbox.put({
        token,
        notification: Notification.alert({ alert: `Order ${id} is on its way`, custom: { orderId: id } }),
        collapseId: `shipped-${id}`
      })
      return HttpServerResponse.empty({ status: taken ? 202 : 503 })
    })
  )
)

const ServiceLive = HttpServer.serve(shipped).pipe(
  Layer.provideMerge(
    Layer.mergeAll(Outbox.Live, NodeHttpServer.layer(createServer, { port: 0 }), FetchHttpClient.layer)
  ),
  // in your program: ApnsPool.layerFromEnv()
  Layer.provideMerge(MockApns.layerPool({ size: 2, mock: { delay: "50 millis" } }))
)

const visitors = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  const port = address._tag === "TcpAddress" ? address.port : 0
  const client = yield* HttpClient.HttpClient
  for (const [order, token] of [["7", "cafe07"], ["8", "cafe08"], ["9", "dead09"]]) {
    const { status } = yield* client.post(`http://127.0.0.1:${port}/orders/${order}/shipped/${token}`)
    yield* Console.log(`order ${order}: answered ${status}`)
  }
})

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  yield* apns.unregister("dead09")
  yield* visitors
  yield* Console.log("The service ends; what it took in is still sent:")
})

NodeRuntime.runMain(Effect.scoped(Effect.provide(program, ServiceLive)))
