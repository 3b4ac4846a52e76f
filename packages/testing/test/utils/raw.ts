import type { MockApns } from "@effect-apns/testing"
import { Effect, type Scope } from "effect"
import * as tls from "node:tls"

export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

export interface RawClient {
  readonly socket: tls.TLSSocket
  readonly frames: Array<RawFrame>
  readonly chunks: Array<number>
  /** The bytes that are no whole frame yet. */
  readonly rest: () => Buffer
  readonly write: (bytes: Uint8Array) => void
  readonly request: (streamId: number, headers: Record<string, string>, body?: string) => void
  readonly until: (ready: (frames: ReadonlyArray<RawFrame>) => boolean) => Effect.Effect<void>
  /** How the connection ended: the code of its error, or `"end"`. */
  readonly ended: Effect.Effect<string>
}

export const Type = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9
} as const

export const frame = (type: number, flags: number, streamId: number, payload: Uint8Array): Buffer => {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, payload])
}

const integer = (value: number, bits: number): Buffer => {
  const max = 2 ** bits - 1
  if (value < max) return Buffer.from([value])
  const bytes = [max]
  let rest = value - max
  while (rest >= 128) {
    bytes.push(128 + rest % 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}

const text = (value: string): Buffer => Buffer.concat([integer(value.length, 7), Buffer.from(value, "latin1")])

export const headerBlock = (headers: Record<string, string>): Buffer =>
  Buffer.concat(
    Object.entries(headers)
      .sort(([a], [b]) => Number(b.startsWith(":")) - Number(a.startsWith(":")))
      .map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)]))
  )

/** Speaks bytes: frames are written and read here, by nobody's library. */
export const connectRaw = (
  apns: MockApns.MockApns,
  options?: tls.ConnectionOptions & { readonly preface?: boolean }
): Effect.Effect<RawClient, { readonly code: string }, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<RawClient, { readonly code: string }>((resume) => {
      const socket = tls.connect({
        host: "127.0.0.1",
        port: apns.port,
        servername: "localhost",
        ca: apns.ca,
        ALPNProtocols: ["h2"],
        ...options
      })
      const frames: Array<RawFrame> = []
      const chunks: Array<number> = []
      const waiting = new Set<() => void>()
      let buffer = Buffer.alloc(0)
      const ended = new Promise<string>((resolve) => {
        socket.on("error", (error: Error & { code?: string }) => resolve(error.code ?? error.message))
        socket.on("close", () => resolve("end"))
      })
      socket.on("data", (chunk: Buffer) => {
        chunks.push(chunk.length)
        buffer = Buffer.concat([buffer, chunk])
        while (buffer.length >= 9 && buffer.length >= 9 + buffer.readUIntBE(0, 3)) {
          const length = buffer.readUIntBE(0, 3)
          frames.push({
            type: buffer.readUInt8(3),
            flags: buffer.readUInt8(4),
            streamId: buffer.readUInt32BE(5),
            payload: buffer.subarray(9, 9 + length)
          })
          buffer = buffer.subarray(9 + length)
        }
        for (const look of waiting) look()
      })
      socket.once("error", (error: Error & { code?: string }) =>
        resume(Effect.fail({ code: error.code ?? error.message })))
      socket.once("secureConnect", () => {
        if (options?.preface !== false) {
          socket.write(
            Buffer.concat([
              Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
              frame(Type.SETTINGS, 0, 0, Buffer.alloc(0))
            ])
          )
        }
        resume(Effect.succeed({
          socket,
          frames,
          chunks,
          rest: () =>
            buffer,
          write: (bytes) => socket.write(bytes),
          request: (streamId, headers, body = "{\"aps\":{}}") => {
            const block = headerBlock({ ":method": "POST", ":scheme": "https", ":authority": "localhost", ...headers })
            socket.write(Buffer.concat([
              frame(Type.HEADERS, 0x4, streamId, block),
              frame(Type.DATA, 0x1, streamId, Buffer.from(body))
            ]))
          },
          until: (ready) =>
            Effect.async<void>((done) => {
              const look = (): void => {
                if (!ready(frames)) return
                waiting.delete(look)
                done(Effect.void)
              }
              waiting.add(look)
              look()
              return Effect.sync(() => waiting.delete(look))
            }),
          ended: Effect.promise(() => ended)
        }))
      })
    }),
    ({ socket }) =>
      Effect.async<void>((done) => {
        if (socket.closed) return done(Effect.void)
        socket.once("close", () => done(Effect.void))
        socket.destroy()
      })
  )
