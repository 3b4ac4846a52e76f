/**
 * What the `apns` command tells the script that called it.
 *
 * @example
 * ```ts
 * import { ExitCode } from "@effect-apns/cli"
 *
 * const resume = (code: number): boolean => code === ExitCode.interrupted
 * console.log(resume(3))
 * ```
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4

/**
 * Everything asked for was done; every notification was accepted.
 *
 * @since 0.1.0
 * @category constants
 */
export const accepted = 0

/**
 * At least one notification was rejected by APNs or has failed; the output says which.
 *
 * @since 0.1.0
 * @category constants
 */
export const notAccepted = 1

/**
 * The command could not start or go on: arguments, configuration, credentials, a file, or no way to reach APNs. The
 * message says what to change.
 *
 * @since 0.1.0
 * @category constants
 */
export const notPossible = 2

/**
 * Stopped by Ctrl-C or SIGTERM. `apns bulk` goes on where it stopped when the same command is run again.
 *
 * @since 0.1.0
 * @category constants
 */
export const interrupted = 3

/**
 * A fault of the command itself.
 *
 * @since 0.1.0
 * @category constants
 */
export const fault = 4
