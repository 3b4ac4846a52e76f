import type { MockApns } from "@effect-apns/testing"
import { ProviderKey } from "@effect-apns/testing"
import { Effect, type Scope } from "effect"
import * as http2 from "node:http2"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
  readonly reason: string | undefined
}

export interface StreamEnded {
  readonly _tag: "StreamEnded"
  readonly code: number
}

export interface Client {
  readonly session: http2.ClientHttp2Session
  readonly goaways: Array<{ readonly code: number; readonly lastStreamId: number; readonly debug: string }>
  readonly start: (headers: Record<string, string | Array<string>>, body?: string | Uint8Array) => {
    readonly stream: http2.ClientHttp2Stream
    readonly answer: Effect.Effect<Answer, StreamEnded>
  }
  readonly send: (
    headers: Record<string, string | Array<string> | undefined>,
    body?: string | Uint8Array
  ) => Effect.Effect<Answer, StreamEnded>
  readonly closed: Effect.Effect<void>
}

export const token = "0123456789abcdef".repeat(4)

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** A `node:http2` client: it shares no code with the mock or with the library. */
export const connect = (
  apns: MockApns.MockApns,
  options?: http2.SecureClientSessionOptions
): Effect.Effect<Client, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Client, Error>((resume) => {
      const session = http2.connect(apns.origin, { ca: apns.ca, ...options })
      const goaways: Client["goaways"] = []
      session.on("goaway", (code, lastStreamId, data) =>
        goaways.push({ code, lastStreamId, debug: data === undefined ? "" : Buffer.from(data).toString("utf8") }))
      const closed = new Promise<void>((resolve) =>
        session.once("close", () =>
          resolve())
      )
      session.once("error", (error: Error) => resume(Effect.fail(error)))
      const start: Client["start"] = (headers, body) => {
        const stream = session.request({ ":method": "POST", ...headers }, { endStream: body === undefined })
        const answer = new Promise<Answer | StreamEnded>((resolve) => {
          let status = 0
          let received: Record<string, string | undefined> = {}
          let ended = false
          const pieces: Array<Buffer> = []
          stream.on("response", (fields) => {
            received = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]))
            status = Number(fields[":status"])
          })
          stream.on("data", (piece: Buffer) => pieces.push(piece))
          stream.on("end", () => (ended = true))
          stream.on("error", () => {})
          stream.on("close", () => {
            const text = Buffer.concat(pieces).toString("utf8")
            const json = parse(text)
            const reason = typeof json === "object" && json !== null && "reason" in json
              ? String(json.reason)
              : undefined
            resolve(
              status !== 0 && ended && stream.rstCode === 0
                ? { status, headers: received, body: text, reason }
                : { _tag: "StreamEnded", code: stream.rstCode ?? -1 }
            )
          })
        })
        if (body !== undefined) stream.end(body)
        return {
          stream,
          answer: Effect.flatMap(
            Effect.promise(() => answer),
            (result) => "_tag" in result ? Effect.fail(result) : Effect.succeed(result)
          )
        }
      }
      session.once("remoteSettings", () =>
        resume(Effect.succeed({
          session,
          goaways,
          start,
          send: (headers, body = "{\"aps\":{}}") =>
            Effect.suspend(() => {
              const given: Record<string, string | Array<string>> = {}
              for (const [name, value] of Object.entries(headers)) if (value !== undefined) given[name] = value
              return start(given, body).answer
            }),
          closed: Effect.promise(() => closed)
        })))
    }),
    ({ session }) =>
      Effect.async<void>((resume) => {
        session.on("error", () => {})
        if (session.destroyed) return resume(Effect.void)
        session.once("close", () => resume(Effect.void))
        session.destroy()
      })
  )

export const bearer = (
  apns: MockApns.MockApns,
  options?: { readonly key?: ProviderKey.ProviderKey; readonly age?: number }
): Effect.Effect<string> =>
  Effect.map(
    ProviderKey.sign(options?.key ?? apns.credentials, {
      issuedAt: Math.floor(Date.now() / 1000) - (options?.age ?? 0)
    }),
    (jwt) => `bearer ${jwt}`
  )

/** Headers of a notification that the mock accepts. */
export const good = (apns: MockApns.MockApns): Effect.Effect<Record<string, string>> =>
  Effect.map(bearer(apns), (authorization) => ({
    ":path": `/3/device/${token}`,
    "apns-topic": "com.example.app",
    "apns-push-type": "alert",
    authorization
  }))
