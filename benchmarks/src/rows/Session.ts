/**
 * `@effect-apns/http2` over `node:tls`: callbacks, no Effect, every response decoded.
 *
 * @since 0.1.0
 */
import { Session } from "@effect-apns/http2"
import type * as NodeTls from "node:tls"
import { bearer } from "../Bearer.js"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { Pump } from "./Pump.js"
import * as Tls from "./Tls.js"

class Driver implements Session.Handler<Session.Stream> {
  readonly session: Session.Session<Session.Stream>
  private socket: NodeTls.TLSSocket | undefined
  private writing = false
  private scheduled = false
  /** Streams that have ended, to be used again. */
  private readonly idle: Array<Session.Stream> = []

  constructor(
    private readonly target: Target,
    private readonly pump: Pump,
    private readonly head: Session.Head,
    private readonly tokens: ReadonlyArray<string>
  ) {
    this.session = new Session.Session<Session.Stream>({ authority: "localhost" }, this)
  }

  /** Resolves when the server's SETTINGS have arrived: before that, no request can be opened. */
  async connect(): Promise<void> {
    this.session.setCommonHeaders([["authorization", bearer(this.target.signingKey)]])
    const ready = new Promise<void>((resolve) => {
      this.onReady = resolve
    })
    this.socket = await Tls.connect(this.target, "h2", (bytes) => {
      this.session.receive(bytes)
      this.flush()
    })
    this.socket.on("error", (error) => this.pump.fail(error))
    this.flush()
    await ready
  }

  private onReady: () => void = () => {}

  fill(limit: number): void {
    while (this.pump.more && this.session.active < limit && this.session.available > 0) {
      const token = this.tokens[this.pump.next() % Workload.distinctTokens] ?? ""
      let stream = this.idle.pop()
      if (stream === undefined) stream = new Session.Stream()
      else stream.renew()
      if (!this.session.request(stream, this.head, token, undefined, Workload.body)) {
        return this.pump.fail(new Error("The session refused a request that it had room for."))
      }
    }
  }

  onResponse(stream: Session.Stream): void {
    if (stream.status !== 200 || stream.apnsId === undefined) {
      return this.pump.fail(new Error(`Answered ${stream.status} with id ${String(stream.apnsId)}.`))
    }
    this.pump.done(stream.apnsId)
    this.fill(this.limit)
    this.idle.push(stream)
  }

  get limit(): number {
    return this.target.inFlight / this.target.connections
  }

  onStreamFailure(_stream: Session.Stream, failure: Session.StreamFailure): void {
    this.pump.fail(new Error(failure.message))
  }

  onSettings(): void {
    this.onReady()
  }

  onGoaway(goaway: Session.Goaway): void {
    this.pump.fail(new Error(`GOAWAY ${goaway.code} ${goaway.debugData}`))
  }

  onPong(): void {}

  onProtocolError(error: Session.ProtocolError): void {
    this.pump.fail(new Error(error.message))
  }

  onOutput(): void {
    if (this.scheduled) return
    this.scheduled = true
    process.nextTick(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private flush(): void {
    if (this.writing || this.socket === undefined) return
    const bytes = this.session.takeOutput()
    if (bytes === undefined) return
    this.writing = true
    this.socket.write(bytes, () => {
      this.writing = false
      this.session.releaseOutput(bytes)
      this.flush()
    })
  }

  close(): void {
    this.socket?.destroy()
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const head = new Session.Head("POST", [
    ["apns-topic", Workload.topic],
    ["apns-push-type", "alert"],
    ["apns-priority", "10"]
  ], "/3/device/")
  const tokens = Workload.tokens()
  const pump = new Pump()
  const drivers = Array.from({ length: target.connections }, () => new Driver(target, pump, head, tokens))
  for (const driver of drivers) await driver.connect()

  return {
    run: (first, count, ids) => {
      const finished = pump.start(first, count, ids)
      for (const driver of drivers) driver.fill(driver.limit)
      return finished
    },
    close: async () => {
      for (const driver of drivers) driver.close()
    }
  }
}
