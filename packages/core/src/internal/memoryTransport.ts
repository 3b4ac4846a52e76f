import type { Receiver, TestTransport, Transport, TransportClose, TransportInfo } from "../Transport.js"

class MemoryTransport implements TestTransport, Transport {
  readonly written: Array<Uint8Array> = []
  readonly info: TransportInfo
  onWrite: ((bytes: Uint8Array) => void) | undefined = undefined
  autoComplete = true
  ended = false
  closed = false
  #receiver: Receiver | undefined
  #early: Array<Uint8Array> = []
  #closing: TransportClose | undefined
  #notified = false
  #done: ((error?: Error) => void) | undefined

  constructor(info: Partial<TransportInfo> | undefined) {
    this.info = {
      alpn: "h2",
      protocol: undefined,
      cipher: undefined,
      remoteAddress: undefined,
      localAddress: undefined,
      peerSubject: undefined,
      ...info
    }
  }

  get transport(): Transport {
    return this
  }

  readonly write = (bytes: Uint8Array, done: (error?: Error) => void): void => {
    if (this.closed || this.ended) {
      queueMicrotask(() => done(new Error("The transport is closed")))
      return
    }
    if (this.#done !== undefined) {
      throw new Error("A write is outstanding: wait for its done before the next one")
    }
    this.#done = done
    const copy = Uint8Array.from(bytes)
    this.written.push(copy)
    if (this.autoComplete) {
      queueMicrotask(this.completeWrite)
    }
    this.onWrite?.(copy)
  }

  readonly completeWrite = (): void => {
    const done = this.#done
    this.#done = undefined
    if (this.closed) done?.(new Error("The transport is closed"))
    else done?.()
  }

  readonly start = (receiver: Receiver): void => {
    queueMicrotask(() => {
      this.#receiver = receiver
      const early = this.#early
      this.#early = []
      for (const bytes of early) {
        receiver.onData(bytes)
      }
      this.#notify()
    })
  }

  readonly receive = (bytes: Uint8Array): void => {
    if (this.closed) {
      return
    }
    if (this.#receiver === undefined) {
      this.#early.push(Uint8Array.from(bytes))
    } else {
      // A copy that is overwritten afterwards, as the buffer of a socket is: so tests find a receiver that keeps it.
      const scratch = Uint8Array.from(bytes)
      this.#receiver.onData(scratch)
      scratch.fill(0xee)
    }
  }

  readonly close = (close?: Partial<TransportClose>): void => {
    if (this.closed) {
      return
    }
    this.closed = true
    this.#closing = { kind: close?.code === undefined ? "Eof" : "Error", code: undefined, message: undefined, ...close }
    this.completeWrite()
    this.#notify()
  }

  readonly end = (): void => {
    this.ended = true
  }

  readonly destroy = (): void => {
    if (this.closed) {
      return
    }
    this.closed = true
    this.#closing = { kind: "Destroyed", code: undefined, message: undefined }
    queueMicrotask(() => {
      this.completeWrite()
      this.#notify()
    })
  }

  #notify(): void {
    if (this.#receiver !== undefined && this.#closing !== undefined && !this.#notified) {
      this.#notified = true
      this.#receiver.onClose(this.#closing)
    }
  }
}

export const make = (info: Partial<TransportInfo> | undefined): TestTransport => new MemoryTransport(info)
