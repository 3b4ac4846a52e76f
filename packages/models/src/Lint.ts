/**
 * What is wrong with a push: a payload and its request headers held against Apple's pages, with findings in plain words.
 *
 * APNs answers 200 to many pushes that no device will show: it does not know that a key is misspelt or that a date is in
 * milliseconds. `lint` says so before a person has to wonder why nothing arrives.
 *
 * @example
 * ```ts
 * import { Lint } from "@effect-apns/models"
 *
 * const findings = Lint.lint({
 *   payload: { aps: { alert: { titel: "Lunch" } } },
 *   headers: { "apns-push-type": "alert", "apns-topic": "com.example.app" }
 * })
 * console.log(findings.map(({ key, rule }) => `${key}: ${rule}`))
 * // ["aps.alert.titel: unknown-key", "aps.alert: alert-empty"]
 * ```
 *
 * @since 1.0.0
 */
import type * as DateTime from "effect/DateTime"
import { check } from "./internal/lint.js"

/**
 * How much a finding matters:
 *
 * - `error`: APNs refuses the push, or the device drops it or cannot read it
 * - `warning`: the push is accepted, but does less than it seems to say
 * - `info`: worth knowing; nothing is wrong if it is meant so
 *
 * @since 1.0.0
 * @category models
 */
export type Severity = "error" | "warning" | "info"

/**
 * One thing that is wrong, or worth knowing.
 *
 * @since 1.0.0
 * @category models
 */
export interface Finding {
  /** The name of the rule, for programs: `unknown-key`, `topic-suffix`, ... It does not change between releases. */
  readonly rule: string
  readonly severity: Severity
  /** Where: the path of a payload key (`aps.alert.title`), the name of a header (`apns-priority`), `body` or `path`. */
  readonly key: string
  /** What is there. */
  readonly what: string
  /** What follows from it, and what to do. */
  readonly why: string
  /** The title of Apple's page that says so. */
  readonly page: string
  /** The address of that page. */
  readonly url: string
}

/**
 * What to look at.
 *
 * @since 1.0.0
 * @category models
 */
export interface Input {
  /** The body: its bytes, its text, or the JSON value. */
  readonly payload: unknown
  /**
   * The request headers, whatever the case of their names. Where they are left out only the payload is looked at.
   */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
  /** The push type where `headers` are left out. Defaults to what the payload looks like. */
  readonly pushType?: string | undefined
  /** The request path. Defaults to that of a device; `/4/broadcasts/apps/BUNDLE_ID` makes it a broadcast. */
  readonly path?: string | undefined
  /** The current time. Without it nothing is said about what has expired. */
  readonly now?: DateTime.DateTime | Date | undefined
}

/**
 * Looks at a push and says what is wrong, most serious first. It never throws, whatever it is given; no findings means
 * that nothing known is wrong.
 *
 * Sources: Apple, "Generating a remote notification", "Sending notification requests to APNs" and the page that each
 * finding names.
 *
 * @since 1.0.0
 * @category linting
 */
export const lint = (input: Input): ReadonlyArray<Finding> => check(input)

/**
 * Whether any of the findings is an error.
 *
 * @since 1.0.0
 * @category guards
 */
export const hasErrors = (findings: ReadonlyArray<Finding>): boolean =>
  findings.some(({ severity }) => severity === "error")
