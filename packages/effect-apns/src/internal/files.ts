import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFile } from "node:fs/promises"

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

const reasons: ReadonlyMap<string, SystemError["reason"]> = new Map([
  ["ENOENT", "NotFound"],
  ["EACCES", "PermissionDenied"],
  ["EPERM", "PermissionDenied"],
  ["EISDIR", "BadResource"],
  ["EBUSY", "Busy"]
])

const read = (path: string): Effect.Effect<Uint8Array, SystemError> =>
  Effect.tryPromise({
    try: (signal) => readFile(path, { signal }),
    catch: (cause) =>
      new SystemError({
        reason: reasons.get(codeOf(cause)) ?? "Unknown",
        module: "FileSystem",
        method: "readFile",
        pathOrDescriptor: path,
        description: codeOf(cause),
        cause
      })
  })

/** The file system that reading a key or a certificate needs, so that programs without Effect need no platform package. */
export const layer: Layer.Layer<FileSystem.FileSystem> = Layer.succeed(
  FileSystem.FileSystem,
  FileSystem.makeNoop({
    readFile: read,
    readFileString: (path) => Effect.map(read(path), (bytes) => new TextDecoder().decode(bytes))
  })
)
