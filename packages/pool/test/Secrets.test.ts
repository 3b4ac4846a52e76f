import { Credentials, Endpoint, Proxy } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, ApnsPoolMap, PoolConfig, send } from "@effect-apns/pool"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import type { Scope } from "effect"
import { Cause, ConfigProvider, Effect, Exit, Logger, LogLevel, Redacted, Schedule } from "effect"
import * as crypto from "node:crypto"
import * as util from "node:util"

const pem = (): string =>
  crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" })
    .toString()

/** Pieces of a secret in the forms in which they may be repeated. */
const forms = (secret: string): ReadonlyArray<string> => {
  const middle = secret.slice(60, 84)
  const base64 = [0, 1, 2].map((shift) => Buffer.from(secret.slice(shift)).toString("base64").slice(40, 64))
  return [
    middle,
    encodeURIComponent(middle),
    ...base64,
    ...base64.map((text) => text.replace(/\+/g, "-").replace(/\//g, "_"))
  ]
}

const renderings = (value: unknown): ReadonlyArray<string> => [
  String(value),
  util.inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity }),
  JSON.stringify(value) ?? "",
  ...(value instanceof Error ? [value.message, String(value.stack), ...renderings(value.cause)] : [])
]

/** Runs, with every log line kept, and looks for the secret in what came of it. */
const shows = (secret: string, effect: Effect.Effect<unknown, unknown>): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const keep = Logger.make((entry) => {
      lines.push(
        Logger.stringLogger.log(entry),
        Logger.jsonLogger.log(entry),
        util.inspect(Logger.structuredLogger.log(entry), { depth: Infinity })
      )
    })
    const exit = yield* Effect.exit(effect).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, keep)),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    const texts = Exit.isSuccess(exit)
      ? renderings(exit.value)
      : [
        Cause.pretty(exit.cause, { renderErrorCause: true }),
        ...renderings(exit.cause),
        ...renderings(Cause.squash(exit.cause))
      ]
    const wanted = forms(secret)
    return [...texts, ...lines].some((text) => wanted.some((form) => text.includes(form)))
  })

const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
const endpoint = Endpoint.unsafeMake("https://localhost:1")
const token = (key = pem()) => Credentials.token({ key: Redacted.make(key), ...ids })

/** A pool that cannot connect, and what it looks like while it is there. */
const pool = (options: object): Effect.Effect<unknown, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const made: Effect.Effect<ApnsPool.ApnsPool, unknown, Scope.Scope> = Reflect.apply(ApnsPool.make, undefined, [{
      endpoint,
      credentials: yield* token(),
      size: 1,
      drainTimeout: "1 millis",
      reconnectSchedule: Schedule.recurs(0),
      ...options
    }])
    const open = yield* made
    const result = yield* Effect.exit(
      send({ token: "00", notification: Notification.alert({ alert: "x" }), timeout: "20 millis" }).pipe(
        Effect.provideService(ApnsPool.ApnsPool, open)
      )
    )
    return { open, stats: yield* open.stats, result }
  }))

const configured = (env: Record<string, string>): Effect.Effect<unknown, unknown> =>
  PoolConfig.options().pipe(
    Effect.provide(NodeContext.layer),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))
  )

describe("secrets", () => {
  const options: Record<string, (secret: string) => object> = {
    credentials: (secret) => ({ credentials: token(secret) }),
    "credentials that are not valid": (secret) => ({ credentials: token(`${secret.slice(0, 120)}`) }),
    "proxy with a password": (secret) => ({
      proxy: Proxy.make(`http://user:${encodeURIComponent(secret)}@127.0.0.1:1`)
    }),
    "a proxy that is not valid": (secret) => ({ proxy: Proxy.make(`http://user:${secret}@127.0.0.1:1`) }),
    ca: (secret) => ({ ca: secret }),
    "ca among others": (secret) => ({ ca: [secret] }),
    keylog: (secret) => ({ keylog: secret }),
    topic: (secret) => ({ topic: secret })
  }
  for (const [name, of] of Object.entries(options)) {
    it.live(`a secret in ${name} is in no printed pool, error or log`, () =>
      Effect.gen(function*() {
        const secret = pem()
        assert.isFalse(yield* shows(secret, pool(of(secret))))
      }))
  }

  it.live("a secret is in no printed ApnsPoolMap", () =>
    Effect.gen(function*() {
      const secret = pem()
      const map = Effect.scoped(Effect.gen(function*() {
        const pools = yield* ApnsPoolMap.make({ drainTimeout: "1 millis" })
        const tenant = { endpoint, credentials: yield* token(secret) }
        return [pools, yield* Effect.exit(Effect.timeout(Effect.scoped(pools.get(tenant)), "50 millis"))]
      })).pipe(Effect.either)
      assert.isFalse(yield* shows(secret, map))
    }))

  const variables = [
    ..."KEY KEY_FILE KEY_ID TEAM_ID KEY_PASSPHRASE CERT CERT_FILE CERT_KEY CERT_KEY_FILE CERT_PASSPHRASE P12 P12_FILE"
      .split(" "),
    ..."CA CA_FILE PROXY ENDPOINT POOL_SIZE CONNECT_TIMEOUT PING_INTERVAL PING_DEADLINE DRAIN_TIMEOUT".split(" "),
    ..."RETRANSMIT SPANS".split(" ")
  ].map((name) => `APNS_${name}`)
  for (const name of variables) {
    it.live(`a secret in ${name} is in no configuration error`, () =>
      Effect.gen(function*() {
        const base = { APNS_KEY: pem(), APNS_KEY_ID: ids.keyId, APNS_TEAM_ID: ids.teamId }
        const shapes = [
          (text: string) => text,
          (text: string) => text.replaceAll("\n", "\\n"),
          (text: string) => text.replace(/\n/g, ""),
          (text: string) => Buffer.from(text).toString("base64url"),
          (text: string) => `http://user:${text.replace(/\s/g, "")}@proxy`
        ]
        for (const shape of shapes) {
          const secret = pem()
          const alone = /CERT|P12|KEY_FILE/.test(name) ? { ...base, APNS_KEY: "" } : base
          for (const env of [{ ...base, [name]: shape(secret) }, { ...alone, [name]: shape(secret) }]) {
            assert.isFalse(yield* shows(secret, configured(env)), shape(secret))
          }
        }
      }))
  }
})
