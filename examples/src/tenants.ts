/**
 * Many customers, each with a key of its own: a pool for each, opened when it is first needed, within one budget of
 * connections. Two teams never share a connection.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted } from "effect"
import { ApnsPoolMap, Credentials, Notification, send } from "effect-apns"

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns

  // where your program looks up its customers
  const customers = new Map<string, ApnsPoolMap.Tenant>()
  for (const name of ["acme", "globex", "initech"]) {
    const topic = `com.example.${name}`
    const { key, keyId, teamId } = yield* apns.issueKey({ topics: [topic] })
    const credentials = yield* Credentials.token({ key: Redacted.make(key), keyId, teamId })
    customers.set(name, { endpoint: apns.endpoint, credentials, topic })
  }

  const notify = (customer: string, token: string) =>
    Effect.gen(function*() {
      const tenant = yield* Effect.fromNullable(customers.get(customer))
      const { apnsId } = yield* send({ token, notification: Notification.alert({ alert: "Hello" }) }).pipe(
        ApnsPoolMap.provide(tenant)
      )
      yield* Console.log(`  ${customer}: accepted as ${apnsId}`)
    })

  // two connections for three customers: the third waits until one that is idle was closed
  for (const customer of ["acme", "globex", "acme", "initech"]) yield* notify(customer, "cafe01")

  const { connections, maxConnections, poolsClosed, poolsOpened } = yield* Effect.flatMap(
    ApnsPoolMap.ApnsPoolMap,
    (pools) => pools.stats
  )
  yield* Console.log(
    `${poolsOpened} pools were opened, ${poolsClosed} closed; ${connections} of ${maxConnections} connections are open.`
  )
  for (const { id, requests, teamId } of yield* apns.connections) {
    yield* Console.log(`  connection ${id}: team ${teamId ?? "none"}, ${requests} requests`)
  }
})

const PoolsLive = Layer.unwrapEffect(
  Effect.map(MockApns.MockApns, ({ ca }) => ApnsPoolMap.layer({ ca, maxConnections: 2, idleTimeToLive: "10 minutes" }))
)

NodeRuntime.runMain(Effect.provide(program, Layer.provideMerge(PoolsLive, MockApns.layer())))
