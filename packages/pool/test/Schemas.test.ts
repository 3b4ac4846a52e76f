import { ConnectError, Credentials, Endpoint, Failure } from "@effect-apns/core"
import { Notification, Reason, Rejection } from "@effect-apns/models"
import { ApnsPool, Broadcast, Channels, Receipt, Send, send } from "@effect-apns/pool"
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Duration, Effect, Equal, Exit, Option, ParseResult, Schema } from "effect"

const connectError = new ConnectError.ConnectError({
  reason: "Refused",
  phase: "tcp",
  endpoint: Endpoint.production,
  code: "ECONNREFUSED",
  message: "nothing listens there",
  cause: new Error("connect ECONNREFUSED")
})

const credentialsError = new Credentials.CredentialsError({
  reason: "Expired",
  source: "push.pem",
  message: "the certificate expired",
  expiredAt: DateTime.unsafeMake(1704067200000)
})

const causes: ReadonlyArray<Failure.CloseCause> = [
  { _tag: "Goaway", code: 0, codeName: "NO_ERROR", lastStreamId: 7, reason: "Shutdown", debugData: "{}" },
  { _tag: "Goaway", code: 0, codeName: "NO_ERROR", lastStreamId: 7, reason: undefined, debugData: "" },
  { _tag: "Dropped", code: "ECONNRESET" },
  { _tag: "Dropped", code: undefined },
  { _tag: "PingTimeout", after: Duration.millis(10_000) },
  { _tag: "ProtocolError", code: 1, codeName: "PROTOCOL_ERROR", description: "what it did" },
  { _tag: "Retired" },
  { _tag: "Retired", timeouts: 5 },
  { _tag: "HeadersRefused" },
  { _tag: "ScopeClosed" },
  { _tag: "ConnectFailed", error: connectError },
  { _tag: "ConnectFailed", error: credentialsError },
  { _tag: "CredentialsRefused", reason: "InvalidProviderToken" }
]

const failures: ReadonlyArray<Failure.PoolFailure> = [
  ...causes.flatMap((closeCause): ReadonlyArray<Failure.PoolFailure> => [
    Failure.closed("no", closeCause),
    Failure.timeout("unknown", "timeout", closeCause)
  ]),
  Failure.timeout("no", "deadline"),
  Failure.streamReset(7),
  { _tag: "MalformedResponse", processed: "yes", status: 502, description: "its body is not JSON" },
  { _tag: "ResponseTooLarge", processed: "unknown", status: 0, description: "too many headers" }
]

const errors: ReadonlyArray<Send.SendError> = [
  ...failures.map((failure) => Failure.toError(failure, 3)),
  new Failure.QueueFull({ processed: "no", attempts: 0, maxQueued: 10 }),
  ...Object.keys(Reason.table).map((reason) =>
    Rejection.makeOf("device")({
      reason,
      timestamp: DateTime.unsafeMake(1704067200000),
      retryAfter: Duration.seconds(7)
    })
  ),
  Rejection.makeOf("device")({
    reason: "BadDeviceToken",
    origin: "local",
    processed: "no",
    attempts: 0,
    problem: "The device token is empty."
  })
]

/** As through a queue, a column of a table, or a wire. */
const through = <A, I>(schema: Schema.Schema<A, I>, value: A): A =>
  Schema.decodeUnknownSync(schema)(JSON.parse(JSON.stringify(Schema.encodeSync(schema)(value))))

describe("outcomes of a send to JSON and back", () => {
  it("every error -> the same class, fields and message", () => {
    for (const error of errors) {
      const back = through(Send.SendError, error)
      assert.strictEqual(back.constructor, error.constructor, error._tag)
      assert.instanceOf(back, Error)
      assert.strictEqual(back._tag, error._tag)
      assert.strictEqual(back.message, error.message)
      assert.deepStrictEqual(
        JSON.stringify(Schema.encodeSync(Send.SendError)(back)),
        JSON.stringify(Schema.encodeSync(Send.SendError)(error))
      )
    }
  })

  it("each error class is its own Schema", () => {
    const one = new Failure.Timeout({ processed: "no", attempts: 1, limit: "deadline", closeCause: undefined })
    assert.instanceOf(through(Failure.Timeout, one), Failure.Timeout)
    const back = through(ConnectError.ConnectError, connectError)
    assert.instanceOf(back, ConnectError.ConnectError)
    assert.isTrue(Equal.equals(back.endpoint, Endpoint.production))
    assert.deepInclude(back, { reason: "Refused", phase: "tcp", code: "ECONNREFUSED" })
    assert.strictEqual(back.message, connectError.message)
    const credentials = through(Credentials.CredentialsError, credentialsError)
    assert.instanceOf(credentials, Credentials.CredentialsError)
    assert.deepStrictEqual(credentials.expiredAt, credentialsError.expiredAt)
    const options = through(
      ApnsPool.InvalidPoolOptions,
      new ApnsPool.InvalidPoolOptions({ field: "size", description: "x" })
    )
    assert.instanceOf(options, ApnsPool.InvalidPoolOptions)
    assert.strictEqual(options.message, "Invalid size: x")
  })

  it("a receipt -> an equal receipt", () => {
    for (const uniqueId of ["unique", undefined]) {
      const receipt = through(Receipt.Receipt, new Receipt.Receipt("id", uniqueId, 2))
      assert.instanceOf(receipt, Receipt.Receipt)
      assert.deepStrictEqual({ ...receipt }, { apnsId: "id", uniqueId, attempts: 2 })
      const broadcast = through(Broadcast.Receipt, new Broadcast.Receipt("id", uniqueId, 2))
      assert.instanceOf(broadcast, Broadcast.Receipt)
      assert.deepStrictEqual({ ...broadcast }, { requestId: "id", uniqueId, attempts: 2 })
    }
  })

  it.effect("a ParseError -> the same path and message for each field", () =>
    Effect.gen(function*() {
      const given = { token: "aa", notification: Notification.alert({ alert: "x" }) }
      for (
        const error of [
          yield* Effect.flip(send({ ...given, topic: "com example" })),
          yield* Effect.flip(send({ ...given, notification: Notification.alert({ custom: { aps: {} }, badge: 1.5 }) }))
        ]
      ) {
        const back = through(Send.SendError, error)
        assert.isTrue(ParseResult.isParseError(back) && ParseResult.isParseError(error))
        if (!ParseResult.isParseError(back) || !ParseResult.isParseError(error)) continue
        assert.deepStrictEqual(
          ParseResult.ArrayFormatter.formatErrorSync(back).map(({ message, path }) => [path, message]),
          ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) => [path, message])
        )
      }
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.never))))

  it("an Exit of each outcome, encoded as an Rpc or an Activity does -> the same Exit", () => {
    const schema = Schema.Exit({ success: Receipt.Receipt, failure: Send.SendError, defect: Schema.Defect })
    const accepted = through(schema, Exit.succeed(new Receipt.Receipt("id", undefined, 1)))
    assert.isTrue(Exit.isSuccess(accepted) && accepted.value instanceof Receipt.Receipt)
    for (const error of errors) {
      const back = through(schema, Exit.fail(error))
      const failure = Exit.isFailure(back) ? Option.getOrUndefined(Cause.failureOption(back.cause)) : undefined
      assert.strictEqual(failure?.constructor, error.constructor)
    }
  })

  it("the error Schemas of broadcasts and channel management refuse errors of device tokens", () => {
    const unregistered = Schema.encodeSync(Rejection.Rejection)(Rejection.make({ reason: "Unregistered" }))
    const gone = Rejection.makeOf("channels")({ reason: "ChannelNotRegistered" })
    assert.instanceOf(through(Channels.ChannelsError, gone), Rejection.ChannelNotRegistered)
    assert.strictEqual(Schema.decodeUnknownEither(Broadcast.BroadcastError)(unregistered)._tag, "Left")
    assert.strictEqual(Schema.decodeUnknownEither(Channels.ChannelsError)(unregistered)._tag, "Left")
  })
})
