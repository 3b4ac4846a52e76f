/**
 * @internal
 */
import * as Reason from "@effect-apns/models/Reason"

/** The status of a reason; 400 for an unknown one. */
/** @internal */
export const statusOf = (reason: string): number => Reason.info(reason, 400).status
