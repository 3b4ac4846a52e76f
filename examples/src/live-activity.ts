/**
 * A Live Activity from start to end, typed by your own Schemas: what the app's Swift types do not have does not compile.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect, Schema } from "effect"
import { LiveActivity, send } from "effect-apns"

// struct PizzaAttributes: ActivityAttributes { struct ContentState { let phase: Phase; let arrival: Date }; let order: Int }
const Pizza = LiveActivity.define({
  attributesType: "PizzaAttributes",
  attributes: Schema.Struct({ order: Schema.Int }),
  contentState: Schema.Struct({
    phase: Schema.Literal("baking", "on its way", "delivered"),
    arrival: LiveActivity.SwiftDate
  })
})

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const now = yield* DateTime.now
  const arrival = DateTime.add(now, { minutes: 30 })

  // to the app's push-to-start token
  yield* send({
    token: "ca01",
    notification: Pizza.start({
      timestamp: now,
      attributes: { order: 7 },
      contentState: { phase: "baking", arrival },
      alert: { title: "Pizza", body: "Your pizza is in the oven" },
      staleDate: DateTime.add(now, { hours: 1 })
    })
  })
  // to the token of this activity, which the app has sent by now; 5 does not count against its budget
  yield* send({
    token: "ca02",
    notification: Pizza.update({
      timestamp: DateTime.add(now, { minutes: 10 }),
      contentState: { phase: "on its way", arrival: DateTime.subtract(arrival, { minutes: 5 }) }
    }),
    priority: 5
  })
  yield* send({
    token: "ca02",
    notification: Pizza.end({
      timestamp: DateTime.add(now, { minutes: 25 }),
      contentState: { phase: "delivered", arrival: DateTime.add(now, { minutes: 25 }) },
      dismissalDate: DateTime.add(now, { hours: 1 })
    }),
    priority: 10
  })

  for (const { payload, topic } of yield* apns.received) yield* Console.log(topic, JSON.stringify(payload))
})

NodeRuntime.runMain(Effect.provide(program, MockApns.layerPool({ size: 1 })))
