import { DeviceToken, InterruptionLevel, MessageStoragePolicy, Priority } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Either, Schema } from "effect"

const messageOf = (schema: Schema.Schema.AnyNoContext, input: unknown): string => {
  const decoded: Either.Either<unknown, { readonly message: string }> = Schema.decodeUnknownEither(schema)(input)
  return Either.match(decoded, { onLeft: ({ message }) => message, onRight: () => "it is accepted" })
}

describe("what is one of a few values", () => {
  const schemas: ReadonlyArray<readonly [Schema.Schema.AnyNoContext, string]> = [
    [Priority.Priority, "10"],
    [InterruptionLevel.InterruptionLevel, "time-sensitive"],
    [MessageStoragePolicy.MessageStoragePolicy, "most-recent-message-stored"],
    [Schema.typeSchema(MessageStoragePolicy.MessageStoragePolicy), "most-recent-message-stored"]
  ]
  it.each(schemas)("any other value -> one sentence that names them (%#)", (schema, value) => {
    for (const wrong of [7, "7", null, undefined, {}, []]) {
      const message = messageOf(schema, wrong)
      assert.include(message, value)
      assert.notInclude(message, "Expected")
      assert.notInclude(message, "\n")
    }
  })
})

it("a device token that is no text -> the message says what it is", () => {
  const kinds = [[{}, "an object"], [[], "an array"], [7, "a number"], [null, "null"], [
    undefined,
    "undefined"
  ]] as const
  for (const [wrong, kind] of kinds) assert.include(messageOf(DeviceToken.DeviceToken, wrong), `got ${kind}.`)
})
