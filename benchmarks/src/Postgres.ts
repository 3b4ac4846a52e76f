/**
 * A PostgreSQL on loopback for the rows of the outbox: that of `APNS_BENCH_POSTGRES` (a URL), else one started from the
 * binaries of the system, with the settings that its packages have.
 *
 * @since 1.0.0
 */
import * as Postgres from "../../scripts/postgres.mjs"

/**
 * The folder of the newest PostgreSQL of this machine, `undefined` where there is none.
 *
 * @since 1.0.0
 * @category accessors
 */
export const binaries = (): string | undefined => Postgres.binaries

/**
 * @since 1.0.0
 * @category models
 */
export interface Server {
  readonly url: string
  readonly stop: () => Promise<void>
}

/**
 * @since 1.0.0
 * @category constructors
 */
export const start = async (): Promise<Server> => {
  const given = process.env["APNS_BENCH_POSTGRES"]
  if (given !== undefined && given !== "") return { stop: () => Promise.resolve(), url: given }
  const server = await Postgres.make()
  await server.start()
  return { stop: server.remove, url: server.url("postgres") }
}
