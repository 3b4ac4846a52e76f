/**
 * The inbox as an option of the mock. `@effect-apns/inbox` depends on this package: so it is loaded by its name when it is
 * asked for, and its exports are checked.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { MockApns, Options } from "../MockApns.js"

/** @internal */
export interface Attached {
  readonly onRequest: NonNullable<Options["onRequest"]>
  readonly onReceived: NonNullable<Options["onReceived"]>
  readonly onLost: NonNullable<Options["onLost"]>
  readonly start: (
    mock: MockApns
  ) => Effect.Effect<{ readonly url: string; readonly port: number }, { readonly message: string }, Scope.Scope>
}

interface InboxModule {
  readonly Inbox: { readonly attach: (page: object) => Effect.Effect<Attached> }
}

const isInboxModule = (loaded: unknown): loaded is InboxModule => {
  if (typeof loaded !== "object" || loaded === null || !("Inbox" in loaded)) return false
  const { Inbox } = loaded
  return typeof Inbox === "object" && Inbox !== null && "attach" in Inbox && typeof Inbox.attach === "function"
}

const name: string = "@effect-apns/inbox"

/**
 * Fails with what to do if the package is not installed.
 *
 * @internal
 */
export const attach = (page: object): Effect.Effect<Attached, string> =>
  Effect.tryPromise({
    try: (): Promise<unknown> => import(/* @vite-ignore */ name),
    catch: (cause) =>
      `The inbox cannot be loaded: install ${name}, @effect/platform and @effect/platform-node (${
        cause instanceof Error ? cause.message : String(cause)
      })`
  }).pipe(
    Effect.flatMap((loaded) =>
      isInboxModule(loaded)
        ? loaded.Inbox.attach(page)
        : Effect.fail(
          `The inbox cannot be loaded: this version of ${name} does not fit this one of @effect-apns/testing`
        )
    )
  )
