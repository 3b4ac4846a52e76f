/**
 * The inbox over HTTP, for programs: the definition that the server, the client and the OpenAPI document are made from.
 *
 * @example
 * ```ts
 * import { InboxApi } from "@effect-apns/inbox"
 * import { OpenApi } from "@effect/platform"
 *
 * console.log(Object.keys(OpenApi.fromApi(InboxApi.InboxApi).paths)) // ["/api/pushes", "/api/pushes/next", ...]
 * ```
 *
 * @since 1.0.0
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Model from "./Model.js"

/**
 * There is no push of this id, or it is not kept any more: the inbox keeps the newest.
 *
 * @since 1.0.0
 * @category errors
 */
export class NoSuchPush extends Schema.TaggedError<NoSuchPush>()(
  "NoSuchPush",
  { id: Schema.Number },
  HttpApiSchema.annotations({ status: 404 })
) {
  override get message(): string {
    return `There is no push ${this.id}, or it is not kept any more`
  }
}

/**
 * No push that matches came in time.
 *
 * @since 1.0.0
 * @category errors
 */
export class NotArrived extends Schema.TaggedError<NotArrived>()(
  "NotArrived",
  {
    filter: Model.Filter,
    /** How long it was waited for. In JSON: milliseconds. */
    timeout: Schema.DurationFromMillis,
    /** How many pushes there were in all. */
    total: Schema.Number
  },
  HttpApiSchema.annotations({ status: 404 })
) {
  override get message(): string {
    const wanted = Object.entries(this.filter).filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(", ")
    return `No push ${wanted === "" ? "" : `with ${wanted} `}came within ${
      Duration.format(this.timeout)
    }; the inbox has received ${this.total} in all`
  }
}

/**
 * There is no answer of this id in force.
 *
 * @since 1.0.0
 * @category errors
 */
export class NoSuchAnswer extends Schema.TaggedError<NoSuchAnswer>()(
  "NoSuchAnswer",
  { id: Schema.Number },
  HttpApiSchema.annotations({ status: 404 })
) {
  override get message(): string {
    return `There is no answer ${this.id} in force`
  }
}

/** With its message beside its fields: for programs in other languages, and for people who use curl. */
const told = <A extends Error, I, R>(
  error: Schema.Schema<A, I, R>
): Schema.Schema<A, I & { readonly message?: string | undefined }, R> =>
  Schema.transform(
    Schema.extend(Schema.encodedSchema(error), Schema.Struct({ message: Schema.optional(Schema.String) })),
    error,
    {
      strict: true,
      decode: (encoded) => encoded,
      encode: (encoded, { message }) => ({ ...encoded, message })
    }
  ).annotations(HttpApiSchema.annotations({ status: 404 }))

const filter = Model.Filter.fields

/** A misspelt name would let every push match. */
const strict = { parseOptions: { onExcessProperty: "error" } } as const

const AnId = Schema.NumberFromString.pipe(Schema.nonNaN())

const id = HttpApiSchema.param("id", Schema.NumberFromString)

/**
 * How many pushes a list has at most.
 *
 * @since 1.0.0
 * @category constants
 */
export const maxListed = 1000

class Pushes extends HttpApiGroup.make("pushes")
  .add(
    HttpApiEndpoint.get("list", "/pushes")
      .setUrlParams(
        Schema.Struct({
          ...filter,
          /** Defaults to 100. */
          limit: Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, maxListed))),
          /** Only pushes with a smaller id. */
          before: Schema.optional(AnId)
        }).annotations(strict)
      )
      .addSuccess(Model.PushList)
      .annotate(OpenApi.Summary, "Lists pushes")
      .annotate(OpenApi.Description, "Lists the pushes that match, newest first.")
  )
  .add(
    HttpApiEndpoint.get("next", "/pushes/next")
      .setUrlParams(
        Schema.Struct({
          ...filter,
          /** Only pushes with a greater id. Defaults to all that are kept. */
          after: Schema.optional(AnId),
          /** Milliseconds, at most 600,000. Defaults to 30,000. */
          timeout: Schema.optional(Schema.NumberFromString.pipe(Schema.between(0, 600_000)))
        }).annotations(strict)
      )
      .addSuccess(Model.PushDetail)
      .addError(told(NotArrived))
      .annotate(OpenApi.Summary, "Waits for a push")
      .annotate(
        OpenApi.Description,
        "The oldest processed push that matches: at once where it is here, else as soon as it comes. For end-to-end tests."
      )
  )
  .add(
    HttpApiEndpoint.get("get")`/pushes/${id}`
      .addSuccess(Model.PushDetail)
      .addError(told(NoSuchPush))
      .annotate(OpenApi.Summary, "Everything about one push")
  )
  .add(
    HttpApiEndpoint.del("clear", "/pushes")
      .annotate(OpenApi.Summary, "Forgets all pushes")
      .annotate(OpenApi.Description, "Forgets all pushes and starts counting from zero. Ids go on.")
  )
  .annotate(OpenApi.Description, "What was received.")
{}

class Answers extends HttpApiGroup.make("answers")
  .add(
    HttpApiEndpoint.get("answers", "/answers")
      .addSuccess(Schema.Array(Model.Answer))
      .annotate(OpenApi.Summary, "Lists the answers in force, newest first")
  )
  .add(
    HttpApiEndpoint.post("answer", "/answers")
      .setPayload(Model.AnswerOptions)
      .addSuccess(Model.Answer)
      .annotate(OpenApi.Summary, "Says how to answer")
      .annotate(
        OpenApi.Description,
        "From now on pushes that match are answered so; of several answers that match, the newest holds."
      )
  )
  .add(
    HttpApiEndpoint.del("remove")`/answers/${id}`
      .addError(told(NoSuchAnswer))
      .annotate(OpenApi.Summary, "Ends an answer")
  )
  .add(
    HttpApiEndpoint.del("reset", "/answers")
      .annotate(OpenApi.Summary, "Ends all answers")
  )
  .annotate(OpenApi.Description, "How pushes are answered: reasons, delays and faults. Without any, as APNs does.")
{}

class Inbox extends HttpApiGroup.make("inbox")
  .add(
    HttpApiEndpoint.get("info", "/info")
      .addSuccess(Schema.Struct({ ...Model.Info.fields, counts: Model.Counts }))
      .annotate(OpenApi.Summary, "What the inbox is, and how many pushes it received")
  )
  .add(
    HttpApiEndpoint.post("send", "/send")
      .setPayload(Model.SendOptions)
      .addSuccess(Model.Sent)
      .annotate(OpenApi.Summary, "Sends a push")
      .annotate(OpenApi.Description, "Sends a push through the library, to the inbox or to Apple's sandbox.")
  )
  .add(
    HttpApiEndpoint.get("events", "/events")
      .setUrlParams(Schema.Struct(filter).annotations(strict))
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" })))
      .annotate(OpenApi.Summary, "What happens, as server-sent events")
      .annotate(
        OpenApi.Description,
        "First `hello` with the newest pushes that match, then `pushes`, `answers` and `cleared`; the data of each is a JSON Event."
      )
  )
{}

/**
 * The API. `GET /openapi.json` gives its OpenAPI document, `/docs` a page to read it.
 *
 * @since 1.0.0
 * @category api
 */
export class InboxApi extends HttpApi.make("inbox")
  .add(Pushes)
  .add(Answers)
  .add(Inbox)
  .prefix("/api")
  .annotate(OpenApi.Title, "The inbox of effect-apns")
  .annotate(OpenApi.Version, "1.0.0")
  .annotate(
    OpenApi.Description,
    "A local APNs that shows each push as a phone would, and tells programs what it received."
  )
{}
