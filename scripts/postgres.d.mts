/** The folder of the newest PostgreSQL of this machine; `undefined` where there is none. */
export const binaries: string | undefined

export interface Postgres {
  readonly url: (database: string) => string
  readonly start: () => Promise<void>
  /** Cuts all connections. */
  readonly stop: () => Promise<void>
  readonly createDatabase: (name: string) => void
  /** Stops it, and deletes its folder. */
  readonly remove: () => Promise<void>
}

/** A PostgreSQL that is not started yet. Settings are those of its configuration file. */
export const make: (settings?: Readonly<Record<string, string>>) => Promise<Postgres>
