/**
 * APNs has accepted a notification.
 *
 * @example
 * ```ts
 * import type { Receipt } from "@effect-apns/pool"
 *
 * export const describe = ({ apnsId, attempts }: Receipt.Receipt): string =>
 *   attempts === 1 ? `accepted as ${apnsId}` : `accepted as ${apnsId} at attempt ${attempts}`
 * ```
 *
 * @since 0.1.0
 */
import { Response } from "@effect-apns/core"
import type * as Exchange from "@effect-apns/core/unstable/Exchange"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import { identity } from "effect/Function"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"

/**
 * How a {@link Receipt} is stored.
 *
 * @since 1.0.0
 * @category models
 */
export interface Encoded {
  readonly apnsId: string
  readonly uniqueId: string | undefined
  readonly attempts: number
}

const variance: Schema.Schema.Variance<Receipt, Encoded, never>[typeof Schema.TypeId] = {
  _A: identity,
  _I: identity,
  _R: identity
}

/**
 * What APNs says of a notification that it accepted (Apple: "Handling notification responses from APNs").
 *
 * @since 0.1.0
 * @category models
 */
export class Receipt {
  constructor(
    /** `apns-id`: the one that was sent, or the one that APNs made. */
    readonly apnsId: string,
    /** `apns-unique-id`: the key to the Delivery Log of Apple's Push Notifications Console (development only). */
    readonly uniqueId: string | undefined,
    /** How many times the request was sent. 1 unless the pool had to repeat it. */
    readonly attempts: number
  ) {}

  /** The class is also its Schema: a receipt can be stored as JSON and comes back as a `Receipt`. */
  static readonly [Schema.TypeId] = variance
  declare static readonly Type: Receipt
  declare static readonly Encoded: Encoded
  declare static readonly Context: never
  static readonly pipe = Schema.String.pipe
  static get ast(): AST.AST {
    return Schemas.astOf(
      this,
      "Receipt",
      () =>
        Schema.Struct({ apnsId: Schema.String, uniqueId: Schema.UndefinedOr(Schema.String), attempts: Schema.Number }),
      (input) => input instanceof this,
      ({ apnsId, attempts, uniqueId }: Encoded) => new this(apnsId, uniqueId, attempts)
    )
  }
  static annotations(annotations: Schema.Annotations.GenericSchema<Receipt>): Schema.Schema<Receipt, Encoded> {
    return Schema.make<Receipt, Encoded>(this.ast).annotations(annotations)
  }
}

/**
 * @internal
 */
export const fromStream = (stream: Exchange.Exchange, attempts: number): Receipt =>
  new Receipt(
    stream.apnsId ?? "",
    stream.headers === undefined ? undefined : Response.header(stream.headers, "apns-unique-id"),
    attempts
  )
