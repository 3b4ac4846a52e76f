import type { Delivery } from "../unstable/Delivery.js"

/**
 * The deliveries of one caller that wait: those that were sent and came back first, in the order in which they were
 * submitted, then those that were never sent, likewise.
 */
export class Lane {
  /** @internal Never sent: a list through the deliveries themselves. */
  head: Delivery | undefined = undefined
  /** @internal */
  tail: Delivery | undefined = undefined
  /** @internal Came back: a heap. They come back in any order, and each may leave at any time. */
  readonly returned: Array<Delivery> = []
  /** @internal The neighbors among the lanes in which somebody waits, which stand in a ring: itself where it is alone. */
  nextLane: Lane = this
  /** @internal */
  previousLane: Lane = this

  /** Who is served next. */
  get first(): Delivery | undefined {
    return this.returned[0] ?? this.head
  }
}

/**
 * Deliveries that wait for a free stream. Lanes take turns, one delivery each: whoever sends one notification is not
 * stuck behind whoever sends a million, and two bulks get the same share. Inside a lane the longest waiting is first, and
 * what comes back keeps its place. Everything takes constant time, but what comes back: the logarithm of how many did.
 */
export class Waiting {
  size = 0
  /** Whose turn it is. */
  private turn: Lane | undefined = undefined
  /** Everybody who sends one at a time. */
  private readonly single = new Lane()

  /** Who is served next. */
  get first(): Delivery | undefined {
    return this.turn?.first
  }

  /** Takes a delivery that was never sent. */
  add(delivery: Delivery): void {
    const lane = this.laneFor(delivery)
    const { tail } = lane
    if (tail === undefined) lane.head = delivery
    else tail.behind = delivery
    delivery.ahead = tail
    lane.tail = delivery
  }

  /** Takes a delivery that came back, at the place that it had. */
  addReturned(delivery: Delivery): void {
    const { returned } = this.laneFor(delivery)
    returned.push(delivery)
    up(returned, returned.length - 1, delivery)
  }

  /** Takes the first one out; the next lane's turn has come. */
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
    if (lane.first === undefined) this.leave(lane)
  }

  /** Calls `visit` with each that waits, in no particular order. It must not add or remove any. */
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
    if (lane.first === undefined) this.join(lane)
    return lane
  }

  /** The lanes stand in a ring; who joins it stands before the one whose turn it is, and so is the last. */
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
  // one that came from another branch may belong nearer to the root
  down(heap, i, last)
  up(heap, last.heapIndex, last)
}
