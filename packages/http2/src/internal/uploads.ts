/**
 * Request bodies that are being sent, with flow control (RFC 9113 section 5.2).
 */
import { Flag, FrameType, headerLength, initialWindowSize, minMaxFrameSize } from "../Frame.js"
import { type Output, writeHeader } from "./output.js"

/** The fields of a stream that flow control needs. */
export interface FlowStream {
  readonly id: number
  /** Bytes of DATA sent less what WINDOW_UPDATE gave back: the send window is the peer's initial one less this. */
  _sent: number
}

const noBytes = new Uint8Array(0)

/** Used only by streams that wait for a window or receive a body. One stream may have several, each on its own session. */
export class Flow {
  /** False once the stream has ended on this session; by then it may have been sent again on another one. */
  open = true
  /** The request body that is not sent to its end yet, and how much of it is. */
  upload: Uint8Array | undefined = undefined
  uploaded = 0
  /** Whether the body waits in the queue for the connection's window. */
  queued = false
  /** The response body so far: its first `received` bytes. */
  buffer = noBytes
  received = 0
  /** Bytes received that no WINDOW_UPDATE of this stream has given back. */
  consumed = 0
  /** -1 without `content-length`. */
  contentLength = -1

  constructor(readonly stream: FlowStream) {}
}

export class Uploads {
  /** What may be sent on the whole connection, in bytes. */
  window = initialWindowSize
  /** What the peer allows: on a stream that has sent nothing, and in one frame. */
  streamWindow = initialWindowSize
  maxFrameSize = minMaxFrameSize
  /** Bodies that wait for the connection's window, first come, first served; those of ended streams are skipped. */
  private queue: Array<Flow> = []
  private ended = 0

  constructor(private readonly output: Output) {}

  /** Whether bodies wait for the connection's window. At least half of the queue is open, so it is empty when none does. */
  get waiting(): boolean {
    return this.queue.length > 0
  }

  /** What `stream` may send if the connection's window allows it; below 0 if the peer has made the window smaller. */
  windowOf(stream: FlowStream): number {
    return this.streamWindow - stream._sent
  }

  /** Puts a body behind those that wait for the connection's window, unless it waits for its stream's. */
  enqueue(flow: Flow): void {
    if (flow.upload === undefined || flow.queued || this.windowOf(flow.stream) <= 0) return
    flow.queued = true
    this.queue.push(flow)
  }

  /** The stream has ended: nothing of its body is sent any more. */
  end(flow: Flow): void {
    flow.open = false
    if (flow.queued && ++this.ended * 2 > this.queue.length) this.sweep()
  }

  /** The streams' windows have become smaller: a body that waits for its own window must not delay the others. */
  requeue(): void {
    for (const flow of this.queue) {
      if (this.windowOf(flow.stream) <= 0) flow.queued = false
    }
    this.sweep()
  }

  /** Writes what the windows allow, in order, and returns the number of frames. */
  pump(): number {
    let frames = 0
    while (this.queue.length > 0 && this.window > 0) {
      const flow = this.queue[0] as Flow
      if (flow.open) {
        frames += this.send(flow)
        if (flow.upload !== undefined && this.windowOf(flow.stream) > 0) return frames
        flow.queued = false
      } else {
        this.ended--
      }
      this.queue.shift()
    }
    if (this.ended * 2 > this.queue.length) this.sweep()
    return frames
  }

  private sweep(): void {
    this.queue = this.queue.filter((flow) => flow.open && flow.queued)
    this.ended = 0
  }

  private send(flow: Flow): number {
    const body = flow.upload
    if (body === undefined) return 0
    const { output } = this
    const { stream } = flow
    let frames = 0
    for (;;) {
      const left = body.length - flow.uploaded
      const count = Math.min(left, this.window, this.windowOf(stream), this.maxFrameSize)
      if (count <= 0) return frames
      const slab = output.reserve(headerLength + count)
      const flags = count === left ? Flag.END_STREAM : 0
      const offset = writeHeader(output.memory, output.length, count, FrameType.DATA, flags, stream.id)
      slab.set(body.subarray(flow.uploaded, flow.uploaded + count), offset)
      output.length = offset + count
      flow.uploaded += count
      stream._sent += count
      this.window -= count
      frames++
      if (count === left) {
        flow.upload = undefined
        return frames
      }
    }
  }
}
