/**
 * The tag of the service and its errors, apart from how it is made.
 *
 * @internal
 */
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import type * as Inbox from "../Inbox.js"

/** @internal */
export const TypeId: Inbox.TypeId = "~@effect-apns/inbox/Inbox"

/** @internal */
export const tag: Context.Tag<Inbox.Inbox, Inbox.Inbox> = Context.GenericTag<Inbox.Inbox>("@effect-apns/inbox/Inbox")

/** @internal */
export class InboxError extends Schemas.taggedError<InboxError>()("InboxError", () => ({
  description: Schema.String,
  cause: Schema.optional(Schema.Defect)
})) {
  override get message(): string {
    return this.description
  }
}
