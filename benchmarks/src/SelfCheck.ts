/**
 * Lies to the sink before anything is measured, one at a time, and insists that each is found out: a server that
 * accepts everything would make every figure worthless.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import * as Tls from "node:tls"
import { bearer } from "./Bearer.js"
import { BenchmarkError } from "./BenchmarkError.js"
import type { Bench } from "./Measure.js"
import type { Expectation } from "./sink/Protocol.js"
import * as Workload from "./Workload.js"

type Field = readonly [name: string, value: string]

interface Lie {
  readonly name: string
  /** What the sink must say; `undefined` for the truth, of which it must say nothing. */
  readonly finds: RegExp | undefined
  readonly frames: (honest: (index: number) => ReadonlyArray<Field>) => Buffer
  readonly maxStreams?: number
  readonly bodies?: "each"
  readonly delayMs?: number
}

const frame = (type: number, flags: number, streamId: number, payload: Uint8Array): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

const string = (value: string): Buffer =>
  Buffer.concat([
    value.length < 127
      ? Buffer.from([value.length])
      : Buffer.from([127, 128 | (value.length - 127) & 127, (value.length - 127) >>> 7]),
    Buffer.from(value, "latin1")
  ])

/** A header block of literals without indexing, in the order given. */
const block = (fields: ReadonlyArray<Field>): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]))

const request = (streamId: number, fields: ReadonlyArray<Field>, body: Uint8Array = Workload.body): Buffer =>
  Buffer.concat([frame(1, 4, streamId, block(fields)), frame(0, 1, streamId, body)])

/** The honest requests 0, 1 and 2, of which `change` replaces the last. */
const two = (honest: (index: number) => ReadonlyArray<Field>, last: Buffer): Buffer =>
  Buffer.concat([request(1, honest(0)), request(3, honest(1)), last])

const replace = (fields: ReadonlyArray<Field>, name: string, value: string | undefined): ReadonlyArray<Field> =>
  fields.flatMap((field): Array<Field> => field[0] !== name ? [field] : value === undefined ? [] : [[name, value]])

const wrongByte = (): Buffer => {
  const body = Buffer.from(Workload.body)
  body[40] = (body[40] ?? 0) ^ 1
  return body
}

/** A request whose body and collapse id carry these markers. */
const own = (
  streamId: number,
  honest: ReadonlyArray<Field>,
  body: string,
  collapseId: string | undefined
): Buffer =>
  request(
    streamId,
    collapseId === undefined ? honest : [...honest, ["apns-collapse-id", collapseId]],
    Buffer.from(JSON.stringify(Workload.marked(body)))
  )

/** The honest requests 0, 1 and 2 of notifications that are all different, of which `change` replaces the last. */
const different = (honest: (index: number) => ReadonlyArray<Field>, last: Buffer): Buffer =>
  Buffer.concat([
    ...[0, 1].map((index) => own(1 + 2 * index, honest(index), Workload.marker(index), Workload.marker(index))),
    last
  ])

const lies: ReadonlyArray<Lie> = [
  { name: "the truth", finds: undefined, frames: (honest) => two(honest, request(5, honest(2))) },
  { name: "a lost request", finds: /2 requests instead of 3/, frames: (honest) => two(honest, Buffer.alloc(0)) },
  {
    name: "one request twice, another never",
    finds: /token 1: 2 requests instead of 1/,
    frames: (honest) => two(honest, request(5, honest(1)))
  },
  {
    name: "a wrong digit in a token",
    finds: /a token with wrong digits/,
    frames: (honest) =>
      two(
        honest,
        request(
          5,
          replace(
            honest(2),
            ":path",
            `/3/device/${Workload.token(2).replace(/.$/, (digit) => digit === "0" ? "1" : "0")}`
          )
        )
      )
  },
  {
    name: "a wrong byte in a body",
    finds: /a body that is not the payload/,
    frames: (honest) => two(honest, request(5, honest(2), wrongByte()))
  },
  {
    name: "half a body",
    finds: /a body that is not the payload/,
    frames: (honest) => two(honest, request(5, honest(2), Workload.body.subarray(0, 70)))
  },
  {
    name: "no topic",
    finds: /apns-topic is missing/,
    frames: (honest) => two(honest, request(5, replace(honest(2), "apns-topic", undefined)))
  },
  {
    name: "a wrong topic",
    finds: /apns-topic is "com\.example\.other"/,
    frames: (honest) => two(honest, request(5, replace(honest(2), "apns-topic", "com.example.other")))
  },
  {
    name: "no authorization",
    finds: /authorization is missing/,
    frames: (honest) => two(honest, request(5, replace(honest(2), "authorization", undefined)))
  },
  {
    name: "a header twice",
    finds: /apns-priority twice/,
    frames: (honest) => two(honest, request(5, [...honest(2), ["apns-priority", "10"]]))
  },
  {
    name: "a pseudo-header field after a regular one",
    finds: /:path after a regular header field/,
    frames: (honest) =>
      two(honest, request(5, [...replace(honest(2), ":path", undefined), [":path", `/3/device/${Workload.token(2)}`]]))
  },
  {
    name: "a reference to an empty dynamic table",
    finds: /header index 70/,
    frames: (honest) => two(honest, frame(1, 4, 5, Buffer.from([0x80 | 70])))
  },
  {
    name: "more streams than allowed",
    delayMs: 1_000,
    finds: /more streams than allowed/,
    frames: (honest) => Buffer.concat([frame(4, 1, 0, Buffer.alloc(0)), two(honest, request(5, honest(2)))]),
    maxStreams: 2
  },
  {
    name: "the truth in notifications that differ",
    bodies: "each",
    finds: undefined,
    frames: (honest) => different(honest, own(5, honest(2), Workload.marker(2), Workload.marker(2)))
  },
  {
    name: "the text of another",
    bodies: "each",
    finds: /texts that are not those of their tokens/,
    frames: (honest) => different(honest, own(5, honest(2), Workload.marker(1), Workload.marker(2)))
  },
  {
    name: "the collapse id of another",
    bodies: "each",
    finds: /collapse ids that are not those of their tokens/,
    frames: (honest) => different(honest, own(5, honest(2), Workload.marker(2), Workload.marker(1)))
  },
  {
    name: "no collapse id",
    bodies: "each",
    finds: /apns-collapse-id is missing/,
    frames: (honest) => different(honest, own(5, honest(2), Workload.marker(2), undefined))
  },
  {
    name: "a wrong byte beside the marker",
    bodies: "each",
    finds: /a body that is not the payload/,
    frames: (honest) =>
      different(
        honest,
        request(
          5,
          [...honest(2), ["apns-collapse-id", Workload.marker(2)]],
          Buffer.from(JSON.stringify(Workload.marked(Workload.marker(2))).replace("ham", "jam"))
        )
      )
  }
]

const ping = Buffer.from("selfhelp", "latin1")

/** Sends bytes over a connection of their own, and resolves when the sink has read them all. */
const tell = (bench: Bench, frames: Buffer): Effect.Effect<void, BenchmarkError> =>
  Effect.async<void, BenchmarkError>((resume) => {
    const socket = Tls.connect({
      ALPNProtocols: ["h2"],
      ca: bench.ca,
      host: "localhost",
      port: bench.sink.port,
      servername: "localhost"
    })
    let received = Buffer.alloc(0)
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      // the sink answers the PING behind the frames, or has closed the connection over them
      if (received.includes(ping)) socket.destroy()
    })
    socket.on(
      "error",
      (error) => resume(Effect.fail(new BenchmarkError({ reason: error.message, where: "self-check" })))
    )
    socket.on("close", () => resume(Effect.void))
    socket.write(Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"),
      frame(4, 0, 0, Buffer.alloc(0)),
      frames,
      frame(6, 0, 0, ping)
    ]))
    return Effect.sync(() => socket.destroy())
  })

const expectation: Expectation = { count: 3, distinct: 3, first: 0, floor: false }

/**
 * Succeeds with the number of lies that were found out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const selfCheck = (bench: Bench): Effect.Effect<number, BenchmarkError> =>
  Effect.gen(function*() {
    const authorization = bearer(bench.signingKey)
    const honest = (index: number): ReadonlyArray<Field> => [
      [":method", "POST"],
      [":scheme", "https"],
      [":authority", "localhost"],
      [":path", `/3/device/${Workload.token(index)}`],
      ["authorization", authorization],
      ["apns-topic", Workload.topic],
      ["apns-push-type", "alert"],
      ["apns-priority", "10"]
    ]
    for (const lie of lies) {
      yield* bench.sink.reset({
        bodies: lie.bodies ?? "same",
        delayMs: lie.delayMs ?? 0,
        maxStreams: lie.maxStreams ?? 1_000
      })
      yield* tell(bench, lie.frames(honest))
      const { violations } = yield* bench.sink.inspect(expectation)
      const said = violations.join("; ")
      if (lie.finds === undefined ? said !== "" : !lie.finds.test(said)) {
        return yield* new BenchmarkError({
          reason: `the sink was told ${lie.name} and found ${said === "" ? "nothing wrong" : said}`,
          where: "self-check"
        })
      }
    }
    return lies.filter(({ finds }) => finds !== undefined).length
  })
