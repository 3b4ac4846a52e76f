import type { Delivery } from "../unstable/Delivery.js"

/**
 * The waiting deliveries of one caller: first those that were sent and put back, then those that were never sent, each in
 * the order in which they were submitted.
 */
export class Lane {
  /** @internal Never sent: a list through the deliveries themselves. */
  head: Delivery | undefined = undefined
  /** @internal */
  tail: Delivery | undefined = undefined
  /** @internal Put back: a heap. They are put back in any order, and each may be removed at any time. */
  readonly returned: Array<Delivery> = []
  /** @internal The neighbors in the ring of lanes that are not empty: itself if it is the only one. */
  nextLane: Lane = this
  /** @internal */
  previousLane: Lane = this

  /** The delivery that is served next. */
  get first(): Delivery | undefined {
    return this.returned[0] ?? this.head
  }
}

/**
 * Deliveries that wait for a free stream. Lanes take turns, one delivery each: a single notification does not wait behind
 * a bulk of a million, and two bulks get the same share. In a lane the one that was submitted first is served first, and
 * one that is put back keeps its place. All operations take constant time, except putting back: the logarithm of how many
 * were put back.
 */
export class Waiting {
  size = 0
  /** How many of them were sent one at a time. */
  singles = 0
  /** The lane whose turn it is. */
  private turn: Lane | undefined = undefined
  /** The lane of all callers that send one notification at a time. */
  private readonly single = new Lane()

  /** The delivery that is served next. */
  get first(): Delivery | undefined {
    return this.turn?.first
  }

  /** Adds a delivery that was never sent. */
  add(delivery: Delivery): void {
    const lane = this.laneFor(delivery)
    const { tail } = lane
    if (tail === undefined) lane.head = delivery
    else tail.behind = delivery
    delivery.ahead = tail
    lane.tail = delivery
  }

  /** Adds a delivery that is put back, at its old place. */
  addReturned(delivery: Delivery): void {
    const { returned } = this.laneFor(delivery)
    returned.push(delivery)
    up(returned, returned.length - 1, delivery)
  }

  /** Removes and returns the first one; then it is the next lane's turn. */
  shift(): Delivery | undefined {
    const { first } = this
    if (first === undefined) return undefined
    this.turn = this.turn?.nextLane
    this.remove(first)
    return first
  }

  remove(delivery: Delivery): void {
    const lane = delivery.lane ?? this.single
    if (delivery.heapIndex >= 0) removeFromHeap(lane.returned, delivery)
    else {
      const { ahead, behind } = delivery
      if (ahead === undefined) lane.head = behind
      else ahead.behind = behind
      if (behind === undefined) lane.tail = ahead
      else behind.ahead = ahead
      delivery.ahead = undefined
      delivery.behind = undefined
    }
    this.size--
    if (lane === this.single) this.singles--
    if (lane.first === undefined) this.leave(lane)
  }

  /** Calls `visit` with each delivery, in no particular order. It must not add or remove any. */
  forEach(visit: (delivery: Delivery) => void): void {
    const { turn } = this
    let lane = turn
    while (lane !== undefined) {
      for (const delivery of lane.returned) visit(delivery)
      for (let delivery = lane.head; delivery !== undefined; delivery = delivery.behind) visit(delivery)
      lane = lane.nextLane === turn ? undefined : lane.nextLane
    }
  }

  private laneFor(delivery: Delivery): Lane {
    this.size++
    const lane = delivery.lane ?? this.single
    if (lane === this.single) this.singles++
    if (lane.first === undefined) this.join(lane)
    return lane
  }

  /** The lanes form a ring; a new one is added before the one whose turn it is, and so is the last. */
  private join(lane: Lane): void {
    const { turn } = this
    if (turn === undefined) {
      this.turn = lane
      return
    }
    const last = turn.previousLane
    lane.nextLane = turn
    lane.previousLane = last
    last.nextLane = lane
    turn.previousLane = lane
  }

  private leave(lane: Lane): void {
    const { nextLane, previousLane } = lane
    if (nextLane === lane) {
      this.turn = undefined
      return
    }
    lane.nextLane = lane
    lane.previousLane = lane
    previousLane.nextLane = nextLane
    nextLane.previousLane = previousLane
    if (this.turn === lane) this.turn = nextLane
  }
}

// --- a binary heap by order of submission, in which each delivery knows its place ---

const up = (heap: Array<Delivery>, from: number, delivery: Delivery): void => {
  let i = from
  while (i > 0) {
    const parentIndex = (i - 1) >>> 1
    const parent = heap[parentIndex]
    if (parent === undefined || parent.order <= delivery.order) break
    heap[i] = parent
    parent.heapIndex = i
    i = parentIndex
  }
  heap[i] = delivery
  delivery.heapIndex = i
}

const down = (heap: Array<Delivery>, from: number, delivery: Delivery): void => {
  let i = from
  for (;;) {
    let childIndex = 2 * i + 1
    let child = heap[childIndex]
    if (child === undefined) break
    const right = heap[childIndex + 1]
    if (right !== undefined && right.order < child.order) {
      child = right
      childIndex++
    }
    if (child.order >= delivery.order) break
    heap[i] = child
    child.heapIndex = i
    i = childIndex
  }
  heap[i] = delivery
  delivery.heapIndex = i
}

const removeFromHeap = (heap: Array<Delivery>, delivery: Delivery): void => {
  const i = delivery.heapIndex
  delivery.heapIndex = -1
  const last = heap.pop()
  if (last === undefined || last === delivery) return
  // one that came from another branch may have to move towards the root
  down(heap, i, last)
  up(heap, last.heapIndex, last)
}
