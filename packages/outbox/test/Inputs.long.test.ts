/**
 * What a program without types may pass to each public function: a typed error, or a defect of that caller alone. Other
 * callers and the runner go on.
 */
import { LibsqlFile, Outbox, OutboxError, OutboxRunner } from "@effect-apns/outbox"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Exit, FastCheck, Fiber, Layer, Queue, Redacted, Stream } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as T from "./utils.js"

const boom = (): never => {
  throw new Error("boom")
}

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const hostile: ReadonlyArray<() => unknown> = [
  () => null,
  () => undefined,
  () => Number.NaN,
  () => -1,
  () => 1e300,
  () => 5n,
  () => "",
  () => "\0",
  () => "\ud800",
  () => "x".repeat(100_000),
  () => "10 parsecs",
  () => Symbol("boom"),
  () => [null, undefined, {}],
  () => Object.assign([], { length: 3 }),
  () => ({}),
  () => Object.create(null),
  () => boom,
  () => new Date(Number.NaN),
  () => Duration.infinity,
  () => Duration.millis(1e300),
  () => Redacted.make("boom"),
  () => Promise.resolve(1),
  () => new Proxy({}, { get: boom, has: boom, ownKeys: boom, getOwnPropertyDescriptor: boom, getPrototypeOf: boom }),
  () => new Proxy([], { get: boom, has: boom }),
  revoked,
  () => ({ toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom, toJSON: boom }),
  () => Object.defineProperty({}, "_tag", { get: boom, enumerable: true }),
  () => new Proxy({ delay: 1 }, { get: () => new Proxy({}, { get: boom }) })
]

/** What makes a value: fast-check looks at the values that it makes, and some of these must not be looked at. */
type Make = () => unknown

const value: FastCheck.Arbitrary<Make> = FastCheck.oneof(
  FastCheck.constantFrom(...hostile),
  FastCheck.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSparseArray: true
  }).map((value) => () => value)
)

const some = (names: ReadonlyArray<string>): FastCheck.Arbitrary<() => Readonly<Record<string, unknown>>> =>
  FastCheck.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] }).map((fields) => () =>
    Object.fromEntries(Object.entries(fields).map(([name, make]) => [name, make?.()]))
  )

/** Good options with some of them replaced or one that throws, or something else altogether. */
const spoiled = (good: () => object, names: ReadonlyArray<string>): FastCheck.Arbitrary<Make> =>
  FastCheck.oneof(
    { weight: 1, arbitrary: value },
    { weight: 4, arbitrary: some(names).map((fields) => () => ({ ...good(), ...fields() })) },
    {
      weight: 1,
      arbitrary: FastCheck.constantFrom(...names).map((name) => () =>
        Object.defineProperty({ ...good() }, name, { get: boom, enumerable: true })
      )
    }
  )

const isTyped = (error: unknown): boolean =>
  Object.values(OutboxError).some((type) => error instanceof type) ||
  (typeof error === "object" && error !== null && "_tag" in error && error._tag === "SqlError")

/** Calls with anything; succeeds where it did, or failed with a typed error that can be shown. */
const call = (name: string, use: (...args: ReadonlyArray<never>) => unknown, ...args: ReadonlyArray<unknown>) =>
  Effect.suspend((): Effect.Effect<unknown, unknown> => Reflect.apply(use, undefined, args)).pipe(
    Effect.exit,
    Effect.map((exit) => {
      if (Exit.isSuccess(exit)) return
      assert.isTrue(Cause.isFailType(exit.cause), `${name}: ${Cause.pretty(exit.cause)}`)
      const error = Cause.squash(exit.cause)
      assert.isTrue(isTyped(error), `${name}: ${String(error)}`)
      assert.isString(error instanceof Error ? error.message : undefined)
    })
  )

const common = [
  "id",
  "tenant",
  "notification",
  "topic",
  "priority",
  "expiration",
  "collapseId",
  "timeout",
  "retransmit",
  "at",
  "expiresAt",
  "retry",
  "tokens",
  "invalidTokens",
  "batchSize"
]

T.onEachDatabase((name, database) => {
  const live = Layer.provideMerge(T.outbox, database)
  const runs = name === "libSQL" ? 40 : 15

  describe(`values of any type, on ${name}`, () => {
    it.live("passed to the outbox -> a typed error; other callers and the runner continue", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool()
        const { told } = yield* T.runner(pool)
        let number = 0
        const retry = some(["delay", "factor", "maxDelay", "attempts"])
        const good = () => ({ id: `a-${number++}`, tokens: [T.token(1)], notification: T.alert })
        const calls: ReadonlyArray<
          readonly [string, FastCheck.Arbitrary<Make>, (input: unknown) => Effect.Effect<void>]
        > = [
          ["enqueue", spoiled(good, common), (input) => call("enqueue", outbox.enqueue, input)],
          ["retry", retry, (input) => call("retry", outbox.enqueue, { ...good(), retry: input })],
          [
            "enqueueAll",
            spoiled(() => ({ ...good(), tokens: Stream.make(T.token(1)) }), common),
            (input) => call("enqueueAll", outbox.enqueueAll, input)
          ],
          [
            "tokens of enqueueAll",
            FastCheck.array(value).map((all) => () => all.map((make) => make())),
            (input) =>
              call("tokens", outbox.enqueueAll, {
                ...good(),
                tokens: Stream.fromIterable(Array.isArray(input) ? input : [])
              })
          ],
          ["id", value, (input) =>
            Effect.forEach(
              [outbox.progress, outbox.cancel, outbox.pause, outbox.resume, outbox.sendAgain],
              (use) => call("id", use, input),
              { discard: true }
            )],
          ["outcomes", spoiled(() => ({}), ["since", "campaign", "tenant", "follow"]), (input) =>
            // one that follows never ends by itself
            Effect.asVoid(Effect.timeoutOption(
              call("outcomes", (input: never) => Stream.runDrain(outbox.outcomes(input)), input),
              "20 millis"
            ))],
          [
            "deadLetters",
            value,
            (input) => call("deadLetters", (input: never) => Stream.runDrain(outbox.deadLetters(input)), input)
          ]
        ]
        const other = yield* Effect.fork(
          Effect.forever(Effect.zipRight(outbox.enqueue(good()), Effect.sleep("5 millis")))
        )
        const runtime = yield* Effect.runtime<never>()
        for (const [, arbitrary, use] of calls) {
          yield* Effect.promise(() =>
            FastCheck.assert(
              FastCheck.asyncProperty(arbitrary, (input) => Effect.runPromise(Effect.provide(use(input()), runtime))),
              { numRuns: runs }
            )
          )
        }
        assert.isNull(other.unsafePoll(), "the other caller goes on")
        yield* Fiber.interrupt(other)
        yield* outbox.enqueue({ id: "last", tokens: [T.token(2)], notification: T.alert })
        while ((yield* Queue.take(told)).campaign !== "last") { /* what was valid after all */ }
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live(
      "returned by functions in the options of a runner -> nothing else is stopped",
      () =>
        T.listen((lines) =>
          Effect.gen(function*() {
            const outbox = yield* Outbox.Outbox
            const { pool } = yield* T.pool()
            const heard: Array<string> = []
            const isBad = (tenant: string) => tenant !== "good"
            const at = (tenant: string): unknown => hostile[Number(tenant.slice(tenant.indexOf("-") + 1))]?.()
            const pools: Record<string, (tenant: string) => unknown> = {
              returns: at,
              gives: (tenant) => Effect.succeed(at(tenant)),
              fails: (tenant) => Effect.fail(at(tenant)),
              dies: (tenant) => Effect.die(at(tenant)),
              // a pool by its looks that throws for every notification
              throws: (tenant) =>
                Effect.succeed({
                  ...pool,
                  unsafe: {
                    ...pool.unsafe,
                    submit: () => {
                      throw at(tenant)
                    }
                  }
                })
            }
            const kinds = [...Object.keys(pools), "rates"]
            const runner: Effect.Effect<OutboxRunner.OutboxRunner, unknown> = Reflect.apply(
              OutboxRunner.make,
              undefined,
              [{
                pool: (tenant: string) => pools[tenant.slice(0, tenant.indexOf("-"))]?.(tenant) ?? Effect.succeed(pool),
                rate: (tenant: string) => tenant.startsWith("rates-") ? at(tenant) : undefined,
                onOutcomes: (outcomes: ReadonlyArray<T.Told>) => {
                  for (const { campaign } of outcomes) heard.push(campaign)
                  if (heard.length < 3) throw revoked()
                  return heard.length < 6 ? Promise.resolve() : Effect.void
                },
                pollInterval: "10 millis"
              }]
            )
            yield* runner
            for (const kind of kinds) {
              for (const i of hostile.keys()) {
                yield* outbox.enqueue({
                  id: `${kind}-${i}`,
                  tenant: `${kind}-${i}`,
                  tokens: T.tokens(2),
                  notification: T.alert
                })
              }
            }
            yield* outbox.enqueue({ id: "good", tenant: "good", tokens: T.tokens(2), notification: T.alert })
            while (!heard.includes("good")) yield* Effect.sleep("10 millis")
            while (lines.filter(({ message }) => message.includes("cannot be opened")).length < hostile.length) {
              yield* Effect.sleep("10 millis")
            }
            yield* outbox.enqueue({ id: "later", tenant: "good", tokens: T.tokens(2), notification: T.alert })
            while (!heard.includes("later")) yield* Effect.sleep("10 millis")
            assert.isTrue(isBad("x"))
            assert.isEmpty(lines.filter(({ message }) => message.includes("A defect")))
          })
        ).pipe(Effect.scoped, Effect.provide(live)),
      30_000
    )

    it.live("passed as the options of a Layer -> a typed error", () =>
      Effect.gen(function*() {
        const { pool } = yield* T.pool()
        const good = { pool: () => Effect.succeed(pool) }
        const makers: ReadonlyArray<
          readonly [string, FastCheck.Arbitrary<Make>, (input: unknown) => Effect.Effect<void>]
        > = [
          ["Outbox.make", spoiled(() => ({}), ["prefix", "lifetime", "prefiks"]), (input) =>
            call("Outbox.make", Outbox.make, input)],
          [
            "OutboxRunner.make",
            spoiled(() =>
              good, [
              "pool",
              "onOutcomes",
              "onOutcomesTimeout",
              "prefix",
              "concurrency",
              "rate",
              "checkpointInterval",
              "pollInterval",
              "lock",
              "maxDeaths",
              "drainTimeout",
              "retention"
            ]),
            (input) =>
              Effect.scoped(call("OutboxRunner.make", OutboxRunner.make, input))
          ]
        ]
        const runtime = yield* Effect.runtime<never>()
        for (const [, arbitrary, use] of makers) {
          yield* Effect.promise(() =>
            FastCheck.assert(
              FastCheck.asyncProperty(arbitrary, (input) => Effect.runPromise(Effect.provide(use(input()), runtime))),
              { numRuns: runs }
            )
          )
        }
      }).pipe(Effect.scoped, Effect.provide(live)))
  })
})

describe("LibsqlFile.make", () => {
  it.live("a path of a file -> accepted; anything else -> a typed error", () =>
    Effect.gen(function*() {
      const folder = yield* T.folder
      const owned = () => readdirSync(".").filter((name) => name.endsWith("-owner"))
      yield* Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            FastCheck.oneof(
              value,
              some(["file", "busyTimeout", "durability"]),
              some(["busyTimeout", "durability"]).map((make) => () => ({ ...make(), file: "outbox.db" }))
            ),
            (make) => {
              const input = make()
              // what is the path of a file stays within the folder
              const fields = Either.getOrElse(
                Either.try((): Readonly<Record<string, unknown>> => ({ ...Object(input) })),
                (): Readonly<Record<string, unknown>> => ({})
              )
              const file = fields["file"]
              const isPath = typeof file === "string" && file !== "" && !file.includes("\0")
              return Effect.runPromise(Effect.scoped(call(
                "LibsqlFile.make",
                LibsqlFile.make,
                isPath || Object.hasOwn(fields, "busyTimeout")
                  ? { ...fields, file: isPath ? join(folder, "outbox.db") : file }
                  : input
              )))
            }
          ),
          { numRuns: 200 }
        )
      )
      assert.isEmpty(owned(), "a file was made in the working directory")
    }).pipe(Effect.scoped))

  for (
    const [file, says] of [
      ["", "not empty"],
      [":memory:", "no URL"],
      ["file:outbox.db", "no URL"],
      ["postgres://localhost/shop", "no URL"],
      ["a\0b", "NUL"],
      [7, "the path of a file, not 7"],
      [undefined, "the path of a file, not undefined"]
    ] as const
  ) {
    it.live(`${JSON.stringify(file)} as a file -> refused: ${says}`, () =>
      Effect.gen(function*() {
        const make: Effect.Effect<unknown, OutboxError.InvalidOutboxOptions> = Reflect.apply(
          LibsqlFile.make,
          undefined,
          [
            { file }
          ]
        )
        const error = yield* Effect.flip(make)
        assert.strictEqual(error._tag, "InvalidOutboxOptions")
        assert.strictEqual(error.field, "file")
        assert.include(error.message, says)
      }).pipe(Effect.scoped))
  }

  it.live("a folder -> refused, and no file is made beside it", () =>
    Effect.gen(function*() {
      const folder = yield* T.folder
      const error = yield* Effect.flip(LibsqlFile.make({ file: folder }))
      assert.include(error.message, "it is a folder")
      assert.isEmpty(readdirSync(folder))
    }).pipe(Effect.scoped))
})

describe("a misspelled option", () => {
  it.live("refused, with the known names", () =>
    Effect.gen(function*() {
      const make: Effect.Effect<unknown, OutboxError.InvalidOutboxOptions> = Reflect.apply(LibsqlFile.make, undefined, [
        { file: "outbox.db", bussyTimeout: "1 second" }
      ])
      const error = yield* Effect.flip(make)
      assert.include(error.message, "bussyTimeout")
      assert.include(error.message, "busyTimeout")
    }).pipe(Effect.scoped))
})
