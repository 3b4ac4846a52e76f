/**
 * What a notification sounds like.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { defined } from "./internal/defined.js"
import { schema } from "./internal/lazy.js"

/**
 * A sound that can play although the device is muted. It needs Apple's critical-alerts entitlement.
 *
 * @since 0.1.0
 * @category models
 */
export interface Critical {
  /** Whether the sound is critical; a plain sound otherwise. */
  readonly critical?: boolean | undefined
  /** The name of a sound file in the app, or `"default"`. */
  readonly name?: string | undefined
  /** From 0 (silent) to 1 (full). */
  readonly volume?: number | undefined
}

/**
 * The name of a sound file in the app, `"default"`, or a critical sound.
 *
 * Source: Apple, "Generating a remote notification".
 *
 * @since 0.1.0
 * @category models
 */
export type Sound = string | Critical

/**
 * How a payload spells a sound.
 *
 * @since 0.1.0
 * @category models
 */
export type Encoded = string | {
  readonly critical?: 0 | 1 | undefined
  readonly name?: string | undefined
  readonly volume?: number | undefined
}

/**
 * The Schema of {@link Sound}.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Sound: Schema.Schema<Sound, Encoded> = schema(() =>
  Schema.Union(
    Schema.String,
    Schema.Struct({
      critical: Schema.optional(Schema.transformLiterals([0, false], [1, true])),
      name: Schema.optional(Schema.String),
      volume: Schema.optional(Schema.Number.pipe(Schema.between(0, 1, {
        message: () => "A volume is a number from 0 (silent) to 1 (full)."
      })))
    })
  ).annotations({ identifier: "Sound" })
)

/**
 * A critical sound: by default the system's, at the volume the system chooses.
 *
 * @example
 * ```ts
 * import { Sound } from "@effect-apns/models"
 *
 * console.log(Sound.critical({ volume: 0.8 })) // { critical: true, name: 'default', volume: 0.8 }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const critical = (
  options: { readonly name?: string | undefined; readonly volume?: number | undefined } = {}
): Critical => defined({ critical: true, name: options.name ?? "default", volume: options.volume })
