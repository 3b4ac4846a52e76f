/**
 * A libSQL file as the database of an outbox: set up so that nothing that was acknowledged is lost, and owned by one
 * process at a time.
 *
 * It needs `@effect/sql-libsql` and `@libsql/client` (from 0.18), which are loaded when the layer is built.
 *
 * @example
 * ```ts
 * import { LibsqlFile, Outbox } from "@effect-apns/outbox"
 * import { Layer } from "effect"
 *
 * export const OutboxLive = Outbox.layer().pipe(Layer.provideMerge(LibsqlFile.layer({ file: "outbox.db" })))
 * ```
 *
 * @since 1.0.0
 */
import type { TimeSpan } from "@effect-apns/models"
import type * as SqlClient from "@effect/sql/SqlClient"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as internal from "./internal/libsqlFile.js"
import type { DatabaseFileError, DatabaseFileInUse, InvalidOutboxOptions } from "./OutboxError.js"

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** The path of the file; it is made where it is missing. Beside it stand `-wal`, `-shm` and `-owner`. */
  readonly file: string
  /** How long a statement waits for another one before it fails. Default 5 seconds. */
  readonly busyTimeout?: TimeSpan.TimeSpan | undefined
  /**
   * What a commit survives once it is acknowledged.
   *
   * - `"machine"` (default): a loss of power. It is on the disk (`fdatasync`), in the background and once for all commits
   *   that wait: one caller after the other gets as many commits a second as the disk does, callers side by side share them
   * - `"process"`: the death of the process, at any moment and by any signal. After a loss of power the last commits may
   *   be missing, each as a whole: an order and its push together. What the runner wrote last is sent again then, under
   *   the same `apns-id`
   */
  readonly durability?: "machine" | "process" | undefined
}

/**
 * A client for the file, in WAL mode; see {@link Options} for what its commits survive. A commit that fails, for example
 * on a full disk, is a `SqlError` of `withTransaction`, where other clients of @effect/sql die. Fails with
 * `DatabaseFileInUse` while another process (or another client in this one) has the file open.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<SqlClient.SqlClient, DatabaseFileInUse | DatabaseFileError | InvalidOutboxOptions, Scope.Scope> =>
  internal.make(options)

/**
 * {@link make} as a Layer, which provides the `SqlClient` for the program's own tables too.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<SqlClient.SqlClient, DatabaseFileInUse | DatabaseFileError | InvalidOutboxOptions> =>
  Layer.scoped(internal.SqlClient, make(options))
