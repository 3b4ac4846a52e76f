/**
 * Sends pushes from the page, through the library as any program does.
 *
 * @internal
 */
import type { Credentials, Endpoint } from "@effect-apns/core"
import { Notification, PushType } from "@effect-apns/models"
import type { Json } from "@effect-apns/models"
import { ApnsPool, Broadcast, send } from "@effect-apns/pool"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import type { SendOptions, Sent } from "../Model.js"

/**
 * The common fields of the library's errors.
 *
 * @internal
 */
export interface Failed {
  readonly _tag: string
  readonly message: string
  readonly processed?: string | undefined
  readonly status?: number | undefined
  readonly attempts?: number | undefined
  readonly apnsId?: string | undefined
}

/** @internal */
export interface Target {
  readonly pool: Effect.Effect<ApnsPool.ApnsPool, Failed>
  /** Makes a channel if there is none; `undefined` if that cannot be done. */
  readonly createChannel: ((bundleId: string) => Effect.Effect<string>) | undefined
}

/** @internal */
export interface Destination {
  readonly endpoint: Endpoint.Endpoint
  readonly ca?: string | undefined
  readonly credentials: Credentials.Credentials
}

const failed = (message: string, error = "Invalid"): Sent => ({ outcome: "failed", error, message, processed: "no" })

const toSent = (error: Failed): Sent => ({
  outcome: error.status !== undefined && (error.attempts ?? 0) > 0 ? "rejected" : "failed",
  error: error._tag,
  message: error.message,
  processed: error.processed ?? "no",
  attempts: error.attempts,
  apnsId: error.apnsId
})

const describe = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }) => path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`).join("; ")

/** Payloads are already parsed from JSON; this checks the type of every value. */
const payloadOf = (payload: SendOptions["payload"]): Json.JsonObject => JSON.parse(JSON.stringify(payload))

/** @internal */
export const sendFrom = (target: Target, options: SendOptions): Effect.Effect<Sent> =>
  Effect.gen(function*() {
    const { collapseId, expiration, priority, pushType, token, topic } = options
    const payload = payloadOf(options.payload)
    const pool = yield* target.pool
    if (pushType === "broadcast") {
      const channelId = token === undefined || token === ""
        ? target.createChannel === undefined
          ? undefined
          : yield* target.createChannel(topic)
        : token
      if (channelId === undefined) return failed("A broadcast needs the id of a channel.")
      const { attempts, requestId } = yield* Broadcast.send({
        bundleId: topic,
        channelId,
        notification: Notification.raw({ pushType: "liveactivity", payload }),
        expiration: expiration === undefined || expiration === 0 ? "none" : expiration,
        ...(priority === undefined ? {} : { priority })
      }).pipe(Effect.provideService(ApnsPool.ApnsPool, pool))
      return { outcome: "accepted", apnsId: requestId, attempts } as const
    }
    if (!PushType.is(pushType)) return failed(`There is no push type ${JSON.stringify(pushType)}.`)
    const receipt = yield* send({
      token: token ?? "",
      topic,
      notification: Notification.raw<PushType.PushType>({ pushType, payload }),
      ...(priority === undefined ? {} : { priority }),
      ...(expiration === undefined ? {} : { expiration: expiration === 0 ? "none" : expiration }),
      ...(collapseId === undefined || collapseId === "" ? {} : { collapseId })
    }).pipe(Effect.provideService(ApnsPool.ApnsPool, pool))
    return { outcome: "accepted", apnsId: receipt.apnsId, attempts: receipt.attempts } as const
  }).pipe(
    Effect.catchAll((error) =>
      Effect.succeed(ParseResult.isParseError(error) ? failed(describe(error), error._tag) : toSent(error))
    )
  )
