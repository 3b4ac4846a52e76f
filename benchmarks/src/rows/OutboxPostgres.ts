/**
 * Durable delivery on PostgreSQL: see `Outbox.ts`.
 *
 * @since 1.0.0
 */
import type { Client, Target } from "../Client.js"
import * as Outbox from "./Outbox.js"

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => Outbox.drain(target, await Outbox.postgres())
