/**
 * The address of one app on one device, as the device hands it to the app.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * A device token (or a Live Activity, push-to-start or push-to-talk token): hexadecimal digits, two for each byte.
 *
 * Apple asks not to assume a length ("Registering your app with APNs"), so anything from 1 to 2,048 bytes (4,096 digits)
 * passes; only hexadecimal digits do, which makes a token safe to stand in a request path.
 *
 * @since 0.1.0
 * @category models
 */
export type DeviceToken = string & Brand.Brand<"DeviceToken">

const maxLength = 4096

const digits = /^[0-9a-fA-F]+$/

const refuse = (input: string): string | undefined => {
  if (input.length === 0) {
    return "The device token is empty: pass the hexadecimal form of the token that the device registered."
  }
  if (!digits.test(input)) {
    const found = identifier.offender(input, /^[0-9a-fA-F]$/)
    return `A device token holds hexadecimal digits only, but has ${found}: ` +
      "pass the token's bytes as hexadecimal, without spaces, slashes or angle brackets."
  }
  if (input.length % 2 !== 0) {
    return `A device token has two hexadecimal digits for each byte, but this one has ${input.length} digits: ` +
      "it was cut off or a leading zero was lost."
  }
  if (input.length > maxLength) {
    return `A device token of ${input.length} digits is longer than the ${maxLength} this library lets into a request path: ` +
      "pass one token, as the device registered it."
  }
  return undefined
}

/**
 * The Schema of {@link DeviceToken}. Its refusals say what to change and never repeat the token.
 *
 * @example
 * ```ts
 * import { DeviceToken } from "@effect-apns/models"
 * import { Either, Schema } from "effect"
 *
 * const token = DeviceToken.DeviceToken.make("0123456789abcdef")
 * const refused = Schema.decodeUnknownEither(DeviceToken.DeviceToken)("../4/broadcasts")
 *
 * console.log(token, Either.isLeft(refused)) // 0123456789abcdef true
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const DeviceToken: Schema.brand<Schema.filter<typeof Schema.String>, "DeviceToken"> = identifier.make({
  name: "DeviceToken",
  description: "A device token in hexadecimal",
  pattern: "^(?:[0-9a-fA-F]{2}){1,2048}$",
  examples: ["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
  arbitrary: () => (fc) => fc.uint8Array({ minLength: 1, maxLength: 100 }).map(hex),
  refuse
})

/**
 * Whether the input is a device token. One regular expression and three comparisons: cheap enough for every
 * notification.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is DeviceToken =>
  typeof input === "string" && input.length <= maxLength && input.length % 2 === 0 && digits.test(input)

/**
 * The token for the raw bytes that `didRegisterForRemoteNotificationsWithDeviceToken` receives.
 *
 * Throws the `ParseError` of the Schema's `make` for no bytes or more than 2,048.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromBytes = (bytes: Uint8Array): DeviceToken => DeviceToken.make(hex(bytes))

const hex = (bytes: Uint8Array): string => {
  let out = ""
  for (const byte of bytes) out += byte.toString(16).padStart(2, "0")
  return out
}
