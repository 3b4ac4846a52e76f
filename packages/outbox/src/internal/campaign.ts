/**
 * The content of a campaign: from options to rows, and back.
 */
import { DeviceToken, Notification } from "@effect-apns/models"
import type { Expiration, Priority, PushType, TimeSpan } from "@effect-apns/models"
import type { SendOptions } from "@effect-apns/pool/Send"
import * as Parts from "@effect-apns/pool/unstable/Send"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { CampaignOptions } from "../Outbox.js"
import { InvalidCampaign } from "../OutboxError.js"
import * as ids from "./ids.js"
import * as Options from "./options.js"

const Text = (max: number) => Schema.String.pipe(Schema.minLength(1), Schema.maxLength(max))

/** Why a text cannot be stored: PostgreSQL accepts no NUL, and half of a surrogate pair is lost in UTF-8. */
const textProblem = (text: string): string | undefined =>
  text.includes("\0")
    ? "it must not hold NUL characters"
    : /\p{Surrogate}/u.test(text)
    ? "it must be text that UTF-8 can express: it holds half of a surrogate pair"
    : undefined

// an index of PostgreSQL takes at most 2704 bytes
const maxIdBytes = 2048

const Id = Text(1024).pipe(
  Schema.filter((text) =>
    textProblem(text) ??
      (Buffer.byteLength(text) <= maxIdBytes || `it must take no more than ${maxIdBytes} bytes in UTF-8`)
  )
)

export const isId = Schema.is(Id)

const Instant = Schema.Union(Schema.DateTimeUtcFromSelf, Schema.DateTimeZonedFromSelf, Schema.ValidDateFromSelf)

const Span = Schema.Union(
  Schema.DurationFromSelf,
  Schema.String.pipe(
    Schema.filter((text) => /^-?\d+(\.\d+)? (nano|micro|milli|second|minute|hour|day|week)s?$/.test(text))
  ),
  Schema.Number,
  Schema.BigIntFromSelf
)

const RetryOptions = Schema.Struct({
  delay: Schema.optional(Span),
  factor: Schema.optional(Schema.Number.pipe(Schema.between(1, 100))),
  maxDelay: Schema.optional(Span),
  attempts: Schema.optional(Schema.Int.pipe(Schema.between(1, 1_000_000)))
})

const Fields = Schema.Struct({
  id: Id,
  tenant: Schema.optional(Id),
  notification: Schema.Unknown,
  topic: Schema.optional(Schema.String),
  priority: Schema.optional(Schema.Literal(1, 5, 10)),
  expiration: Schema.optional(Schema.Unknown),
  collapseId: Schema.optional(Schema.String),
  timeout: Schema.optional(Span),
  retransmit: Schema.optional(Schema.Literal("collapsible", "always", "never")),
  at: Schema.optional(Instant),
  expiresAt: Schema.optional(Instant),
  retry: Schema.optional(RetryOptions),
  tokens: Schema.Unknown,
  invalidTokens: Schema.optional(Schema.Literal("refuse", "report")),
  batchSize: Schema.optional(Schema.Int.pipe(Schema.between(1, 50_000)))
})

/** The retry options as stored in a row: milliseconds. */
const Retry = Schema.Struct({
  delay: Schema.optional(Schema.Number),
  factor: Schema.optional(Schema.Number),
  maxDelay: Schema.optional(Schema.Number),
  attempts: Schema.optional(Schema.Number)
})

export type Retry = typeof Retry.Type

/** The request, as stored in a row. */
const Request = Schema.Struct({
  pushType: Schema.String,
  body: Schema.String,
  encoding: Schema.Literal("utf8", "base64"),
  topic: Schema.optional(Schema.String),
  topicSuffix: Schema.optional(Schema.String),
  priority: Schema.optional(Schema.Literal(1, 5, 10)),
  /** Seconds since the UNIX epoch, 0 for none. */
  expiration: Schema.optional(Schema.Number),
  collapseId: Schema.optional(Schema.String),
  timeoutMillis: Schema.optional(Schema.Number),
  retransmit: Schema.optional(Schema.Literal("collapsible", "always", "never"))
})

type Request = typeof Request.Type

const validate = ParseResult.validateEither(Fields, { onExcessProperty: "error", errors: "first" })

export const invalid = (path: ReadonlyArray<string | number>, description: string): InvalidCampaign =>
  new InvalidCampaign({ path: [...path], description })

const fromIssue = (issue: ParseResult.ParseIssue, under: ReadonlyArray<string | number> = []): InvalidCampaign => {
  const [first] = ParseResult.ArrayFormatter.formatIssueSync(issue)
  const path = (first?.path ?? []).map((key) => typeof key === "number" ? key : String(key))
  return invalid([...under, ...path], first?.message ?? "it is not what a campaign is made of")
}

/** A valid campaign, ready to be written. */
export interface Campaign {
  readonly id: string
  readonly tenant: string
  readonly request: string
  readonly retry: string
  readonly atMillis: number | undefined
  readonly expiresAtMillis: number | undefined
  readonly fingerprint: string
}

const decoder = new TextDecoder("utf-8", { fatal: true })

const bodyOf = (bytes: Uint8Array): Pick<Request, "body" | "encoding"> => {
  try {
    const body = decoder.decode(bytes)
    // PostgreSQL accepts no NUL in text, and a decoder drops a byte order mark
    if (!body.includes("\0") && bytes[0] !== 0xef) return { body, encoding: "utf8" }
  } catch {
    // not UTF-8
  }
  return { body: Buffer.from(bytes).toString("base64"), encoding: "base64" }
}

const millisOf = (instant: DateTime.DateTime | Date | undefined): number | undefined =>
  instant === undefined ? undefined : instant instanceof Date ? instant.getTime() : DateTime.toEpochMillis(instant)

const fields: Readonly<Record<string, string>> = {
  Topic: "topic",
  CollapseId: "collapseId",
  Priority: "priority"
}

/** The field of an error of the request, if its Schema says so. */
const fieldOf = (issue: ParseResult.ParseIssue): ReadonlyArray<string> => {
  const ast = "ast" in issue ? issue.ast : undefined
  const text = ast === undefined ? "" : String(ast)
  for (const [name, field] of Object.entries(fields)) {
    if (text.includes(name)) return [field]
  }
  return []
}

const span = (
  name: string,
  input: TimeSpan.TimeSpan | undefined
): Either.Either<number | undefined, InvalidCampaign> => {
  if (input === undefined) return Either.right(undefined)
  return Either.mapLeft(Options.spanMillis(input), (description) => invalid(name.split("."), description))
}

const defined = <A extends object>(input: A): A => {
  const out = { ...input }
  for (const key of Object.keys(out)) {
    if (Reflect.get(out, key) === undefined) Reflect.deleteProperty(out, key)
  }
  return out
}

/** Checks everything except the tokens. An option that throws when it is read is refused, too. */
export const make = (options: CampaignOptions): Either.Either<Campaign, InvalidCampaign> =>
  Either.flatMap(readable(options), () =>
    Either.getOrElse(
      Options.guarded(() => judge(options)),
      () => Either.left(invalid([], "the campaign cannot be read: something in it throws"))
    ))

/** Finds an option that cannot be read, before any of them is checked. */
const readable = (options: unknown): Either.Either<void, InvalidCampaign> => {
  if (typeof options !== "object" || options === null) {
    return Either.left(invalid([], `a campaign must be an object, not ${Options.show(options)}`))
  }
  for (const name of Object.keys(Fields.fields)) {
    const printed = Options.guarded(() => {
      const value: unknown = Reflect.get(options, name)
      // as an error would show it
      return name === "tokens" || typeof value !== "object" ? "" : String(Object.prototype.toString.call(value))
    })
    if (Either.isLeft(printed)) return Either.left(invalid([name], Options.throwsWhenRead))
  }
  return Either.right(undefined)
}

const judge = (options: CampaignOptions): Either.Either<Campaign, InvalidCampaign> =>
  Either.gen(function*() {
    yield* Either.mapLeft(validate(options), (issue) => fromIssue(issue))
    const prepared = yield* Either.mapLeft(
      Notification.prepare(options.notification),
      (error) =>
        error._tag === "ParseError"
          ? fromIssue(error.issue, ["notification"])
          : invalid(["notification"], error.message)
    )
    const timeoutMillis = yield* span("timeout", options.timeout)
    const spec = yield* Either.mapLeft(
      Parts.specOf(sendOptions(options), undefined),
      (error) =>
        error._tag === "ParseError"
          ? fromIssue(error.issue, fieldOf(error.issue))
          : invalid(["notification"], error.message)
    )
    const { at, expiresAt, id, priority, retransmit, tenant = defaultTenant, topic } = options
    const atMillis = millisOf(at)
    const expiresAtMillis = millisOf(expiresAt)
    if (atMillis !== undefined && expiresAtMillis !== undefined && expiresAtMillis <= atMillis) {
      return yield* Either.left(invalid(["expiresAt"], "it must be later than `at`"))
    }
    const expiration = spec.expirationMillis === Infinity
      ? options.expiration === undefined ? undefined : 0
      : spec.expirationMillis / 1000
    const request: Request = defined({
      pushType: prepared.pushType,
      ...bodyOf(prepared.body),
      topic,
      topicSuffix: prepared.topicSuffix,
      // a stored payload has less information about its push type than the notification that it was made from
      priority: priority ?? prepared.defaultPriority,
      // an expired notification should not be shown any more either
      expiration: expiration ?? (expiresAtMillis === undefined ? undefined : Math.floor(expiresAtMillis / 1000)),
      collapseId: options.collapseId,
      timeoutMillis,
      retransmit
    })
    const retry: Retry = defined({
      delay: yield* span("retry.delay", options.retry?.delay),
      factor: options.retry?.factor,
      maxDelay: yield* span("retry.maxDelay", options.retry?.maxDelay),
      attempts: options.retry?.attempts
    })
    const { expiration: _, ...lasting } = request
    return {
      id,
      tenant,
      request: JSON.stringify(request),
      retry: JSON.stringify(retry),
      atMillis,
      expiresAtMillis,
      // without times, since a second call often computes them again
      fingerprint: ids.sha256(JSON.stringify(lasting))
    }
  })

export const defaultTenant = "default"

const sendOptions = (options: CampaignOptions): Omit<SendOptions, "token"> => {
  const { collapseId, expiration, notification, priority, retransmit, topic } = options
  return { notification, topic, priority, expiration, collapseId, retransmit }
}

/** Why a token cannot be stored in the database, independent of its push type. */
export const tokenProblem = (token: unknown): string | undefined =>
  typeof token !== "string"
    ? `it must be a string, not ${Options.show(token)}`
    : token.length > maxTokenLength
    ? `it must be at most ${maxTokenLength} characters long`
    : undefined

/** Texts longer than this are not accepted as a token, valid or not. */
const maxTokenLength = 8192

/** A copy of the tokens, so that the caller cannot change it. */
export const tokens = (input: unknown): Either.Either<ReadonlyArray<string>, InvalidCampaign> =>
  Either.getOrElse(
    Options.guarded((): Either.Either<ReadonlyArray<string>, InvalidCampaign> => {
      if (!Array.isArray(input)) {
        return Either.left(invalid(["tokens"], `they must be an array of strings, not ${Options.show(input)}`))
      }
      const tokens: Array<string> = []
      for (let i = 0; i < input.length; i++) {
        const token: unknown = input[i]
        const problem = tokenProblem(token)
        if (problem !== undefined || typeof token !== "string") {
          return Either.left(invalid(["tokens", i], problem ?? ""))
        }
        tokens.push(token)
      }
      return Either.right(tokens)
    }),
    () => Either.left(invalid(["tokens"], "they throw when they are read"))
  )

/** The index of the first text that is not a device token, and why. */
export const invalidToken = (tokens: ReadonlyArray<unknown>): InvalidCampaign | undefined => {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]
    if (DeviceToken.is(token)) continue
    const decoded = decodeToken(token)
    if (Either.isLeft(decoded)) return fromIssue(decoded.left, ["tokens", i])
  }
  return undefined
}

const decodeToken = ParseResult.decodeUnknownEither(DeviceToken.DeviceToken)

const decodeRequest = Schema.decodeUnknownEither(Schema.parseJson(Request))
const decodeRetryJson = Schema.decodeUnknownEither(Schema.parseJson(Retry))

export const decodeRetry = (text: string): Retry => Either.getOrElse(decodeRetryJson(text), () => ({}))

/** The request as options of `send`. */
export interface Content extends Omit<SendOptions, "token"> {
  /** Each notification is its own collapse group: an alert that has to be sent again is shown once. */
  readonly collapsesAlone: boolean
}

const priorityOf = (priority: 1 | 5 | 10 | undefined): Priority.For<PushType.PushType> | undefined => priority

/** Reads a row; `undefined` if it was not written by this package. */
export const content = (request: string): Content | undefined => {
  const decoded = decodeRequest(request)
  if (Either.isLeft(decoded)) return undefined
  const { body, collapseId, encoding, expiration, priority, pushType, retransmit, timeoutMillis, topic, topicSuffix } =
    decoded.right
  const expires: Expiration.Expiration | undefined = expiration === 0 ? "none" : expiration
  return {
    notification: Notification.raw({
      pushType,
      topicSuffix,
      payload: encoding === "utf8" ? body : new Uint8Array(Buffer.from(body, "base64"))
    }),
    topic,
    priority: priorityOf(priority),
    expiration: expires,
    collapseId,
    timeout: timeoutMillis === undefined ? undefined : Duration.millis(timeoutMillis),
    retransmit,
    collapsesAlone: pushType === "alert" && collapseId === undefined
  }
}

/** The request with a new `apns-expiration`, if the old one has passed. */
export const withExpiration = (request: string, nowMillis: number, endMillis: number): string | undefined => {
  const decoded = decodeRequest(request)
  if (Either.isLeft(decoded)) return undefined
  const { expiration } = decoded.right
  return expiration === undefined || expiration === 0 || expiration * 1000 > nowMillis
    ? undefined
    : JSON.stringify({ ...decoded.right, expiration: Math.floor(endMillis / 1000) })
}
