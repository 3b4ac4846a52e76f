/**
 * @since 1.0.0
 */
import * as Printable from "../Printable.js"

/**
 * The key under which a notification stores that its input could not be read: constructors never throw, so this error too
 * is reported when the notification is prepared. Copies of the notification keep it.
 *
 * @internal
 */
export const Unreadable: unique symbol = Symbol.for("@effect-apns/models/Unreadable")

/**
 * The result of `make`; if it throws, a notification that stores why.
 *
 * @internal
 */
export const guarded = <A extends object>(pushType: string, make: () => A): A => {
  try {
    return make()
  } catch (cause) {
    return Object.assign({} as A, { pushType, [Unreadable]: Printable.thrown(cause) })
  }
}
