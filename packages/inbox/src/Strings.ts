/**
 * The strings of an app, so that the inbox shows a localized push as the device would: keys looked up, arguments filled in.
 *
 * @example
 * ```ts
 * import { Strings } from "@effect-apns/inbox"
 *
 * const strings = Strings.fromRecord({ LUNCH_INVITE: "%1$@ invites you to lunch with %2$@" })
 * console.log(strings.localize("LUNCH_INVITE", ["Jenna", "Frank"])) // Jenna invites you to lunch with Frank
 * ```
 *
 * @since 1.0.0
 */
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as internal from "./internal/strings.js"

/**
 * Strings by their keys.
 *
 * @since 1.0.0
 * @category models
 */
export interface Strings {
  /** How many there are. */
  readonly size: number
  /** The string of a key with its placeholders (`%@`, `%2$@`, `%d`, ...) filled in; `undefined` for a key that is not known. */
  readonly localize: (key: string, args: ReadonlyArray<string>) => string | undefined
}

/**
 * A file of strings that cannot be used; `message` says which and why.
 *
 * @since 1.0.0
 * @category errors
 */
export class StringsError extends Schemas.taggedError<StringsError>()("StringsError", () => ({
  file: Schema.String,
  description: Schema.String
})) {
  override get message(): string {
    return `The strings in ${this.file} cannot be read: ${this.description}`
  }
}

/**
 * @since 1.0.0
 * @category constructors
 */
export const fromRecord = (strings: Readonly<Record<string, string>>): Strings =>
  internal.make(new Map(Object.entries(strings)))

/**
 * No strings: keys are shown as they are.
 *
 * @since 1.0.0
 * @category constructors
 */
export const none: Strings = fromRecord({})

/**
 * Reads `.strings` files (UTF-8 or UTF-16) and string catalogs (`.xcstrings`); where a key stands in several, the last
 * one counts. Of a catalog the language is taken that `language` names (such as `de`), else its source language; of
 * plural forms the general one.
 *
 * @since 1.0.0
 * @category constructors
 */
export const fromFiles = (
  files: ReadonlyArray<string>,
  options: { readonly language?: string | undefined } = {}
): Effect.Effect<Strings, StringsError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const all = new Map<string, string>()
    for (const file of files) {
      const bytes = yield* Effect.mapError(
        fs.readFile(file),
        ({ message }) => new StringsError({ file, description: message })
      )
      const parsed = internal.parse(file, bytes, options.language)
      if (typeof parsed === "string") return yield* new StringsError({ file, description: parsed })
      for (const [key, value] of parsed) all.set(key, value)
    }
    return internal.make(all)
  })
