/**
 * What can go wrong when something is put into the outbox, or when it is opened.
 *
 * @example
 * ```ts
 * import { OutboxError } from "@effect-apns/outbox"
 *
 * const error = new OutboxError.InvalidCampaign({ path: ["tokens", 3], description: "it is no device token" })
 * console.log(error.message) // tokens[3]: it is no device token
 * ```
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * A campaign that cannot be sent as it is; nothing was written. `path` leads to the field, `description` says what to
 * change.
 *
 * @since 1.0.0
 * @category errors
 */
export class InvalidCampaign extends Schema.TaggedError<InvalidCampaign>(
  "@effect-apns/outbox/InvalidCampaign"
)("InvalidCampaign", {
  path: Schema.Array(Schema.Union(Schema.String, Schema.Number)),
  description: Schema.String
}) {
  override get message(): string {
    const at = this.path.map((key) => typeof key === "number" ? `[${key}]` : `.${key}`).join("").replace(/^\./, "")
    return at === "" ? this.description : `${at}: ${this.description}`
  }
}

/**
 * The id belongs to a campaign with another tenant, notification or list of tokens: nothing was written. The same id
 * with the same content is no error, and changes nothing.
 *
 * @since 1.0.0
 * @category errors
 */
export class CampaignConflict extends Schema.TaggedError<CampaignConflict>(
  "@effect-apns/outbox/CampaignConflict"
)("CampaignConflict", {
  id: Schema.String,
  differs: Schema.Literal("tenant", "notification", "tokens")
}) {
  override get message(): string {
    return `There is a campaign ${JSON.stringify(this.id)} already, and its ${this.differs} ${
      this.differs === "tokens" ? "are" : "is"
    } not the same: give each campaign an id of its own`
  }
}

/**
 * Another writer is filling the campaign at the moment, or has taken it over from this one.
 *
 * @since 1.0.0
 * @category errors
 */
export class CampaignBusy extends Schema.TaggedError<CampaignBusy>("@effect-apns/outbox/CampaignBusy")(
  "CampaignBusy",
  { id: Schema.String }
) {
  override get message(): string {
    return `Campaign ${
      JSON.stringify(this.id)
    } is being filled by another writer: wait until it has finished, or until 30 seconds after it died`
  }
}

/**
 * There is no campaign with this id: it was never enqueued, its transaction was rolled back, or it ended so long ago
 * that it was deleted.
 *
 * @since 1.0.0
 * @category errors
 */
export class CampaignNotFound extends Schema.TaggedError<CampaignNotFound>("@effect-apns/outbox/CampaignNotFound")(
  "CampaignNotFound",
  { id: Schema.String }
) {
  override get message(): string {
    return `There is no campaign ${JSON.stringify(this.id)}`
  }
}

/**
 * The tables in the database are of a newer version than this program knows.
 *
 * @since 1.0.0
 * @category errors
 */
export class SchemaMismatch extends Schema.TaggedError<SchemaMismatch>("@effect-apns/outbox/SchemaMismatch")(
  "SchemaMismatch",
  {
    /** The version of the tables. */
    found: Schema.Int,
    /** The newest version that this program knows. */
    known: Schema.Int
  }
) {
  override get message(): string {
    return `The outbox's tables are of version ${this.found}, and this program knows versions up to ${this.known}: ` +
      "update @effect-apns/outbox in this program, as in the one that changed the tables"
  }
}

/**
 * Options of a Layer that are not valid; `message` says what to change.
 *
 * @since 1.0.0
 * @category errors
 */
export class InvalidOutboxOptions extends Schema.TaggedError<InvalidOutboxOptions>(
  "@effect-apns/outbox/InvalidOutboxOptions"
)("InvalidOutboxOptions", {
  field: Schema.String,
  description: Schema.String
}) {
  override get message(): string {
    return `Invalid ${this.field}: ${this.description}`
  }
}

/**
 * Another process has opened the file. One process owns a libSQL file; several processes want PostgreSQL.
 *
 * @since 1.0.0
 * @category errors
 */
export class DatabaseFileInUse extends Schema.TaggedError<DatabaseFileInUse>(
  "@effect-apns/outbox/DatabaseFileInUse"
)("DatabaseFileInUse", {
  file: Schema.String,
  /** Who has it, as far as it can be told. */
  owner: Schema.optional(Schema.Struct({ pid: Schema.Int, host: Schema.String, since: Schema.String }))
}) {
  override get message(): string {
    const { file, owner } = this
    return `${file} is in use${
      owner === undefined ? " by another process" : ` by process ${owner.pid} on ${owner.host} since ${owner.since}`
    }: one process at a time can open a libSQL file. Stop that one, or use PostgreSQL`
  }
}

/**
 * The file cannot be opened as a database.
 *
 * @since 1.0.0
 * @category errors
 */
export class DatabaseFileError extends Schema.TaggedError<DatabaseFileError>(
  "@effect-apns/outbox/DatabaseFileError"
)("DatabaseFileError", {
  file: Schema.String,
  description: Schema.String
}) {
  override get message(): string {
    return `${this.file} cannot be opened as a libSQL database: ${this.description}`
  }
}
