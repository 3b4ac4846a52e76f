import { ErrorCode, Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import * as http2 from "node:http2"
import * as net from "node:net"

/** What a request came to. */
interface Outcome {
  readonly path: string
  readonly status: number
  readonly apnsId: string | undefined
  readonly body: string
  readonly failure: Session.StreamFailure | undefined
  readonly truncated: boolean
}

class Call extends Session.Stream {
  constructor(readonly path: string, readonly resume: (outcome: Outcome) => void) {
    super()
  }
}

interface Received {
  readonly path: string
  readonly headers: http2.IncomingHttpHeaders
  readonly body: Buffer
}

type Respond = (
  stream: http2.ServerHttp2Stream,
  request: Received,
  session: http2.ServerHttp2Session
) => void

const accept: Respond = (stream, request) =>
  stream.respond({ ":status": 200, "apns-id": request.path }, { endStream: true })

/** An h2c server of Node's (nghttp2), an independent implementation, and a driver for our session over a real socket. */
const withServer = async <A>(
  settings: http2.Settings,
  respond: Respond,
  use: (client: Client) => Promise<A>,
  respondAtOnce = false
): Promise<A> => {
  const received: Array<Received> = []
  const serverErrors: Array<string> = []
  const server = http2.createServer({ settings })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on("session", (session) => {
    sessions.add(session)
    session.on("close", () => sessions.delete(session))
    session.on("error", (error) => serverErrors.push(String(error)))
  })
  server.on("stream", (stream, headers) => {
    const chunks: Array<Buffer> = []
    stream.on("error", () => {})
    const answer = (): void => {
      const request = { path: String(headers[":path"]), headers, body: Buffer.concat(chunks) }
      received.push(request)
      const session = stream.session
      if (!stream.destroyed && session !== undefined) respond(stream, request, session as http2.ServerHttp2Session)
    }
    if (respondAtOnce) return answer()
    stream.on("data", (chunk: Buffer) => chunks.push(chunk))
    stream.on("end", answer)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  const socket = net.connect(address.port, "127.0.0.1")
  const client = new Client(socket, received, sessions, serverErrors)
  try {
    await client.ready
    const result = await use(client)
    assert.deepStrictEqual(client.errors, [])
    return result
  } finally {
    socket.destroy()
    for (const session of sessions) session.destroy()
    server.close()
    await once(server, "close")
  }
}

const head = new Session.Head("POST", [["apns-topic", "com.example.app"], ["apns-push-type", "alert"]])

class Client {
  readonly errors: Array<string> = []
  readonly ready: Promise<void>
  readonly goaways: Array<Session.Goaway> = []
  readonly session: Session.Session<Call>
  private readonly waiting: Array<() => void> = []

  constructor(
    readonly socket: net.Socket,
    readonly received: Array<Received>,
    readonly serverSessions: Set<http2.ServerHttp2Session>,
    readonly serverErrors: Array<string>
  ) {
    const flush = (): void => {
      const bytes = this.session.takeOutput()
      if (bytes !== undefined) socket.write(bytes, () => this.session.releaseOutput(bytes))
    }
    let greeted = (): void => {}
    this.ready = new Promise((resolve) => {
      greeted = resolve
    })
    this.session = new Session.Session<Call>({ authority: "127.0.0.1" }, {
      onResponse: (call) => {
        call.resume({
          path: call.path,
          status: call.status,
          apnsId: call.apnsId,
          body: call.body === undefined ? "" : Buffer.from(call.body).toString("latin1"),
          failure: undefined,
          truncated: call.truncated
        })
        this.goOn()
      },
      onStreamFailure: (call, failure) => {
        call.resume({ path: call.path, status: 0, apnsId: undefined, body: "", failure, truncated: false })
        this.goOn()
      },
      onSettings: () => {
        greeted()
        this.goOn()
      },
      onGoaway: (goaway) => this.goaways.push(goaway),
      onPong: () => {},
      onProtocolError: (error) => this.errors.push(error.message),
      onOutput: () => queueMicrotask(flush),
      onAvailable: () => this.goOn()
    })
    socket.on("error", (error) => this.errors.push(String(error)))
    socket.on("connect", flush)
    socket.on("data", (bytes) => this.session.receive(bytes))
  }

  private goOn(): void {
    while (this.waiting.length > 0 && this.session.available > 0) this.waiting.shift()?.()
  }

  send(path: string, body: Uint8Array | string, extra?: ReadonlyArray<string>): Promise<Outcome> {
    return new Promise((resolve) => {
      const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body
      const open = (): void => {
        if (!this.session.request(new Call(path, resolve), head, path, extra, bytes)) throw new Error("not taken")
      }
      if (this.session.available > 0) open()
      else this.waiting.push(open)
    })
  }
}

const numbered = (count: number): Array<number> => Array.from({ length: count }, (_, i) => i)

describe("against node:http2", () => {
  it("requests one after the other -> every header and byte arrives as sent", () =>
    withServer({}, (stream, request) => {
      stream.respond({ ":status": 400, "apns-id": "A-1" })
      stream.end(JSON.stringify({ reason: "BadDeviceToken", length: request.body.length }))
    }, async (client) => {
      client.session.setCommonHeaders([["authorization", "bearer one"]])
      for (let i = 0; i < 20; i++) {
        if (i === 10) client.session.setCommonHeaders([["authorization", "bearer two"]])
        const outcome = await client.send(`/3/device/${i}`, "x".repeat(i), ["apns-collapse-id", `c${i}`])
        assert.deepStrictEqual(outcome, {
          path: `/3/device/${i}`,
          status: 400,
          apnsId: "A-1",
          body: `{"reason":"BadDeviceToken","length":${i}}`,
          failure: undefined,
          truncated: false
        })
      }
      for (const [i, { headers }] of client.received.entries()) {
        assert.strictEqual(headers.authorization, i < 10 ? "bearer one" : "bearer two")
        assert.strictEqual(headers["apns-topic"], "com.example.app")
        assert.strictEqual(headers["apns-collapse-id"], `c${i}`)
        assert.strictEqual(headers[":authority"], "127.0.0.1")
        assert.strictEqual(headers[":scheme"], "https")
      }
    }))

  it("1,000 at once with a 64 KiB connection window neither stall nor are reset", () =>
    withServer({ maxConcurrentStreams: 1_000 }, accept, async (client) => {
      const outcomes = await Promise.all(numbered(1_000).map((i) => client.send(`/3/device/${i}`, "b".repeat(1_500))))
      for (const [i, outcome] of outcomes.entries()) {
        assert.deepStrictEqual([outcome.status, outcome.apnsId], [200, `/3/device/${i}`])
      }
      assert.lengthOf(client.received, 1_000)
      assert.isTrue(client.received.every(({ body }) => body.length === 1_500 && body.every((byte) => byte === 98)))
      assert.deepStrictEqual(client.serverErrors, [])
    }))

  it("5,000 with 100 streams and small stream windows", () =>
    withServer({ maxConcurrentStreams: 100, initialWindowSize: 100 }, accept, async (client) => {
      const outcomes = await Promise.all(numbered(5_000).map((i) => client.send(`/${i}`, `${i}`.repeat(i % 100))))
      assert.isTrue(outcomes.every((outcome, i) => outcome.status === 200 && outcome.apnsId === `/${i}`))
      const bodies = new Map(client.received.map(({ body, path }) => [path, body.toString()]))
      for (const i of numbered(5_000)) assert.strictEqual(bodies.get(`/${i}`), `${i}`.repeat(i % 100))
    }))

  it("settings lowered and raised while requests are in flight", () => {
    let answered = 0
    const steps: ReadonlyArray<http2.Settings> = [
      { headerTableSize: 0 },
      { maxConcurrentStreams: 1 },
      { initialWindowSize: 10 },
      { maxConcurrentStreams: 50, headerTableSize: 200 },
      { initialWindowSize: 0 },
      { headerTableSize: 4096, maxFrameSize: 20_000 }
    ]
    return withServer({ maxConcurrentStreams: 50 }, (stream, request, session) => {
      const step = answered++ % 50 === 0 ? steps[answered / 50 % steps.length | 0] : undefined
      if (step?.initialWindowSize === 0) {
        // nothing would be answered any more: raised again as soon as it is acknowledged
        session.settings(step, () => session.settings({ initialWindowSize: 70_000 }))
      } else if (step !== undefined) {
        session.settings(step)
      }
      // streams that the lowered limit refuses are none of this test
      accept(stream, request, session)
    }, async (client) => {
      client.session.setCommonHeaders([["authorization", `bearer ${"t".repeat(100)}`]])
      const outcomes = await Promise.all(numbered(1_000).map((i) => client.send(`/${i}`, "z".repeat(i % 200))))
      const refused = outcomes.filter(({ failure }) => failure?.code === ErrorCode.ErrorCode.REFUSED_STREAM)
      const accepted = outcomes.filter(({ status }) => status === 200)
      assert.strictEqual(refused.length + accepted.length, 1_000)
      assert.isAbove(accepted.length, 500)
      assert.isTrue(accepted.every(({ apnsId, path }) => apnsId === path))
      assert.isTrue(client.received.every(({ body, path }) => body.length === Number(path.slice(1)) % 200))
      assert.deepStrictEqual(client.serverErrors, [])
    })
  })

  it("GOAWAY: streams above its id fail, those below are answered", () =>
    withServer({ maxConcurrentStreams: 1_000 }, (stream, request, session) => {
      if (request.path === "/10") session.goaway(0, 11, Buffer.from("{\"reason\":\"Shutdown\"}"))
      setImmediate(() => stream.destroyed || accept(stream, request, session))
    }, async (client) => {
      const outcomes = await Promise.all(numbered(20).map((i) => client.send(`/${i}`, "x")))
      for (const [i, { failure, status }] of outcomes.entries()) {
        if (1 + 2 * i <= 11) assert.strictEqual(status, 200)
        else assert.strictEqual(failure?.kind, "goaway")
      }
      assert.deepStrictEqual(client.goaways[0], { lastStreamId: 11, code: 0, debugData: "{\"reason\":\"Shutdown\"}" })
      assert.isTrue(client.session.closing)
    }))

  it("resets before and after the status", () =>
    withServer({}, (stream, request) => {
      if (request.path === "/refused") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
      if (request.path === "/error") return stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR)
      stream.respond({ ":status": 200, "apns-id": "A" })
      stream.write("par", () => stream.destroy(new Error("broken")))
    }, async (client) => {
      const [refused, failed, cut] = await Promise.all([
        client.send("/refused", ""),
        client.send("/error", "x"),
        client.send("/cut", "x")
      ])
      assert.strictEqual(refused.failure?.code, ErrorCode.ErrorCode.REFUSED_STREAM)
      assert.strictEqual(failed.failure?.code, ErrorCode.ErrorCode.INTERNAL_ERROR)
      assert.deepStrictEqual([cut.status, cut.apnsId, cut.body, cut.truncated], [200, "A", "par", true])
    }))

  it("large bodies in both directions", () =>
    withServer({}, (stream, request) => {
      stream.respond({ ":status": 200, "content-length": 60_000 })
      stream.end(request.body.subarray(request.body.length - 60_000))
    }, async (client) => {
      const body = Buffer.alloc(3_000_000, "0123456789abc")
      const outcome = await client.send("/", body)
      assert.isTrue(client.received[0]?.body.equals(body))
      assert.isTrue(outcome.body === body.subarray(body.length - 60_000).toString("latin1"))
    }))

  it("answers before the request body was read", () =>
    withServer({ initialWindowSize: 1_000 }, (stream) => {
      stream.respond({ ":status": 413 }, { endStream: true })
    }, async (client) => {
      const outcomes = await Promise.all(numbered(50).map((i) => client.send(`/${i}`, new Uint8Array(5_000))))
      assert.isTrue(outcomes.every(({ status }) => status === 413))
      assert.strictEqual(client.session.active, 0)
    }, true))

  it("header lists of many and large fields, trailers and interim responses", () =>
    withServer({}, (stream) => {
      stream.additionalHeaders({ ":status": 103, link: "<x>" })
      const headers: http2.OutgoingHttpHeaders = { ":status": 200, "apns-id": "A" }
      for (let i = 0; i < 40; i++) headers[`x-${i}`] = `${i}`.repeat(100)
      stream.respond(headers, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-last": "z" }))
      stream.end("body")
    }, async (client) => {
      for (let i = 0; i < 3; i++) {
        const outcome = await client.send("/", "")
        assert.deepStrictEqual([outcome.status, outcome.apnsId, outcome.body], [200, "A", "body"])
      }
    }))
})
