/**
 * In a program without Effect: one runtime for the pool, promises for everything else.
 */
import { MockApns } from "@effect-apns/testing"
import { Effect, Either, ManagedRuntime } from "effect"
import { Notification, send } from "effect-apns"

// in your program: ManagedRuntime.make(Layer.provide(ApnsPool.layerFromEnv(), NodeContext.layer))
const apns = ManagedRuntime.make(MockApns.layerPool({ size: 2 }))

/** The apns-id, or undefined where the token is dead. Rejects with the typed error for whatever else goes wrong. */
const notify = async (token: string, text: string): Promise<string | undefined> => {
  const result = await apns.runPromise(
    Effect.either(send({ token, topic: "com.example.app", notification: Notification.alert({ alert: text }) }))
  )
  if (Either.isRight(result)) return result.right.apnsId
  if (result.left._tag === "Unregistered") return undefined
  throw result.left
}

const main = async (): Promise<void> => {
  await apns.runPromise(Effect.flatMap(MockApns.MockApns, (mock) => mock.unregister("dead01")))

  console.log("cafe01: accepted as", await notify("cafe01", "Hello"))
  console.log("dead01: accepted as", await notify("dead01", "Are you there?"))
  try {
    await notify("not a token", "Hello")
  } catch (error) {
    console.log("not a token:", error instanceof Error ? error.message : error)
  }
}

// waits for what is under way, and closes the connections
await main().finally(() => apns.dispose())
