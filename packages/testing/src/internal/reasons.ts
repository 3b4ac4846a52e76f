/**
 * @internal
 */
import * as Reason from "@effect-apns/models/Reason"

/** The status that goes with a reason; 400 for one that nobody knows. */
/** @internal */
export const statusOf = (reason: string): number => Reason.info(reason, 400).status
