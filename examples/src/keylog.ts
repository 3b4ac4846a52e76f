/**
 * The secrets of a TLS connection in a file, with which Wireshark decrypts what was captured: Preferences, Protocols, TLS,
 * "(Pre)-Master-Secret log filename". Capture with: sudo tcpdump -i any -w apns.pcap port 443
 */
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Notification, send } from "effect-apns"

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const keylog = yield* fs.makeTempFileScoped({ prefix: "apns-", suffix: ".keys" })
  yield* send({ token: "cafe01", notification: Notification.alert({ alert: "Read me" }) }).pipe(
    // `keylog: true` takes the file that SSLKEYLOGFILE names
    Effect.provide(MockApns.layerPool({ size: 1, keylog }))
  )
  const lines = (yield* fs.readFileString(keylog)).trim().split("\n")
  yield* Console.log(`${lines.length} secrets were logged, for one connection:`)
  for (const line of lines) yield* Console.log(`  ${line.split(" ")[0] ?? ""} …`)
})

NodeRuntime.runMain(Effect.scoped(Effect.provide(program, NodeContext.layer)))
