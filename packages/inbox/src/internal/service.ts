/**
 * What the service is known by, apart from how it is made.
 *
 * @internal
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Inbox from "../Inbox.js"

/** @internal */
export const TypeId: Inbox.TypeId = "~@effect-apns/inbox/Inbox"

/** @internal */
export const tag: Context.Tag<Inbox.Inbox, Inbox.Inbox> = Context.GenericTag<Inbox.Inbox>("@effect-apns/inbox/Inbox")

/** @internal */
export class InboxError extends Data.TaggedError("InboxError")<{
  readonly description: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.description
  }
}
