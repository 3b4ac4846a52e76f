import { Notification } from "@effect-apns/models"
import { ApnsPool, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { token } from "./utils/client.js"

const lunch = { token, notification: Notification.alert({ alert: { title: "Lunch" } }) }

describe("layerPool", () => {
  it.scopedLive("retries what the server refused", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.next(MockApns.refuseStream, MockApns.refuseStream)
      const receipt = yield* send(lunch)
      assert.strictEqual(receipt.attempts, 3)
      const received = yield* apns.received
      assert.lengthOf(received, 1)
      assert.strictEqual(received[0]?.apnsId, receipt.apnsId)
      assert.deepStrictEqual(received[0]?.payload, { aps: { alert: { title: "Lunch" } } })
      yield* apns.until(({ openConnections }) => openConnections === 2)
      const { size } = yield* Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.stats)
      assert.strictEqual(size, 2)
    }).pipe(Effect.provide(MockApns.layerPool({ size: 2 }))))

  it.scopedLive("takes options for the mock; its rejections are typed errors", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.unregister(token, { at: 1_700_000_000_123 })
      const error = yield* Effect.flip(send(lunch))
      assert.strictEqual(error._tag, "Unregistered")
      const [received] = yield* apns.received
      assert.strictEqual(received?.status, 410)
      const [info] = yield* apns.connections
      assert.strictEqual(info?.teamId, apns.credentials.teamId)
    }).pipe(
      Effect.provide(MockApns.layerPool({ size: 1, mock: { environment: "production", maxConcurrentStreams: 5 } }))
    ))
})
