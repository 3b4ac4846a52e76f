/**
 * One message to all devices of a file, in constant memory, and what to do with those that are gone.
 */
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Chunk, Console, DateTime, Effect, Either, Stream } from "effect"
import { Notification, Rejection, sendAll } from "effect-apns"

const hex = (n: number) => n.toString(16).padStart(64, "0")

/** Where your program keeps its tokens. */
const deleteToken = (token: string, since: DateTime.Utc | undefined) =>
  Console.log(
    `  delete ${token.replace(/^0+/, "…")}, gone since ${since === undefined ? "some time" : DateTime.formatIso(since)}`
  )

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const apns = yield* MockApns.MockApns
  const file = yield* fs.makeTempFileScoped({ suffix: ".txt" })
  yield* fs.writeFileString(file, Chunk.join(Chunk.map(Chunk.range(1, 5000), hex), "\n"))
  for (const n of [1000, 2000, 4711]) yield* apns.unregister(hex(n))

  const tokens = fs.stream(file).pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.filter((line) => line !== "")
  )
  const counts = yield* sendAll(tokens, { notification: Notification.alert({ alert: "We are back" }) }).pipe(
    Stream.tap(({ result, token }) => {
      if (Either.isRight(result)) return Effect.void
      return Rejection.isTokenDead(result.left)
        ? deleteToken(token, result.left.timestamp)
        : Console.log(`  ${token}: ${result.left.message}`)
    }),
    Stream.runFold(
      { accepted: 0, others: 0 },
      ({ accepted, others }, { result }) =>
        Either.isRight(result) ? { accepted: accepted + 1, others } : { accepted, others: others + 1 }
    )
  )
  yield* Console.log(`${counts.accepted} accepted, ${counts.others} not`)
})

program.pipe(
  Effect.scoped,
  // in your program: ApnsPool.layerFromEnv()
  Effect.provide(MockApns.layerPool({ size: 2 })),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
