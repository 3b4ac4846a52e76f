/** Who is told when a signal is aborted. */
interface Listeners {
  readonly told: Set<() => void>
  readonly onAbort: () => void
}

const all = new WeakMap<AbortSignal, Listeners>()

/**
 * Calls `listener` when `signal` is aborted, until the returned function is called. However many calls share a signal, it
 * has one listener: Node warns of a leak at the 11th.
 */
export const listen = (signal: AbortSignal, listener: () => void): () => void => {
  const { onAbort, told } = all.get(signal) ?? add(signal)
  told.add(listener)
  return () => {
    if (!told.delete(listener) || told.size > 0) return
    signal.removeEventListener("abort", onAbort)
    all.delete(signal)
  }
}

const add = (signal: AbortSignal): Listeners => {
  const told = new Set<() => void>()
  const onAbort = () => {
    all.delete(signal)
    for (const listener of Array.from(told)) listener()
  }
  const added = { told, onAbort }
  all.set(signal, added)
  signal.addEventListener("abort", onAbort, { once: true })
  return added
}
