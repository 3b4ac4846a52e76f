import { MockApns } from "@effect-apns/testing"
import { Effect, Fiber } from "effect"
import { connect, good } from "./test/utils/client.js"
Effect.runPromise(Effect.scoped(Effect.gen(function*() {
  const apns = yield* MockApns.make()
  const client = yield* connect(apns)
  const headers = yield* good(apns)
  yield* apns.delay("100 millis")
  client.session.on("close", () => console.log("client session close", performance.now()))
  client.session.on("error", (e) => console.log("client session err", e))
  const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], () => Effect.fork(Effect.either(client.send(headers))))
  yield* apns.until(({ arrived }) => arrived === 5)
  console.log("goaway", performance.now())
  yield* apns.goaway({ lastStreamId: 3, reason: "Shutdown" })
  const results = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
  console.log(results, yield* apns.received, yield* apns.connections)
})))
