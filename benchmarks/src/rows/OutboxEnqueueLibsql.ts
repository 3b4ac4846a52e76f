/**
 * Enqueueing one by one: see `Outbox.ts`.
 *
 * @since 1.0.0
 */
import type { Client } from "../Client.js"
import * as Outbox from "./Outbox.js"

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (): Promise<Client> => Outbox.enqueue(await Outbox.libsql())
