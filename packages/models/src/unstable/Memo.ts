/**
 * Remembers what was made from an object, for as long as the object is in use.
 *
 * @example
 * ```ts
 * import { Memo } from "@effect-apns/models/unstable/Memo"
 *
 * const sizes = new Memo<object, number>()
 * const payload = { aps: { alert: "Lunch" } }
 * sizes.set(payload, JSON.stringify(payload).length)
 * console.log(sizes.get(payload)) // 25
 * ```
 *
 * @since 1.0.0
 */

/** How many objects that were seen once are remembered, at least; twice as many at most. */
const capacity = 128

/**
 * A cache by object identity for objects of which most are used once and some very often, such as notifications. A
 * `WeakMap` alone costs 0.6 µs for each object that is never looked up again (most of it in the garbage collector). So an
 * object goes into one when it is looked up the second time, and until then it is one of the last few that were seen.
 *
 * @since 1.0.0
 * @category models
 */
export class Memo<K, V> {
  private last: K | undefined = undefined
  private lastValue: V | undefined = undefined
  private readonly kept = new WeakMap<object, V>()
  private young = new Map<K, V>()
  private old = new Map<K, V>()

  /**
   * @since 1.0.0
   */
  get(key: K): V | undefined {
    if (key === this.last) return this.lastValue
    if (typeof key !== "object" || key === null) return undefined
    let value = this.kept.get(key)
    if (value === undefined) {
      value = this.young.get(key) ?? this.old.get(key)
      if (value === undefined) return undefined
      this.kept.set(key, value)
    }
    this.last = key
    this.lastValue = value
    return value
  }

  /**
   * What is no object is not remembered.
   *
   * @since 1.0.0
   */
  set(key: K, value: V): void {
    if (typeof key !== "object" || key === null) return
    this.last = key
    this.lastValue = value
    if (this.kept.has(key)) {
      this.kept.set(key, value)
      return
    }
    this.young.set(key, value)
    if (this.young.size < capacity) return
    this.old = this.young
    this.young = new Map()
  }
}
