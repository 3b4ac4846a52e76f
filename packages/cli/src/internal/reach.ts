import type { ConnectError, Failure } from "@effect-apns/core"
import type { ApnsPool } from "@effect-apns/pool"
import * as DateTime from "effect/DateTime"
import type { Waiting } from "./progress.js"

const words: { readonly [R in ConnectError.Reason]: string } = {
  ClientCertificateExpired: "the client certificate has expired",
  ClientCertificateRefused: "the client certificate was refused",
  Dns: "the host name has no address",
  HostnameMismatch: "the server's certificate is for another name",
  Http2: "the server does not speak HTTP/2 as it should",
  InvalidCa: "the authorities to trust cannot be read",
  InvalidOptions: "an option is no span of time",
  InvalidProxy: "the proxy's address is not usable",
  KeyLog: "the key log cannot be written",
  NoH2: "the server does not speak HTTP/2",
  Proxy: "the proxy gives no connection",
  ProxyAuthenticationRequired: "the proxy wants other credentials",
  Refused: "connection refused",
  Reset: "connection closed by the other side",
  Socket: "network error",
  Timeout: "no answer",
  Tls: "the TLS handshake failed",
  Unreachable: "no route to the host",
  UntrustedServer: "the server's certificate is not trusted"
}

/** A short text, for a line that must not be long. */
export const describe = (cause: Failure.CloseCause): string => {
  switch (cause._tag) {
    case "ConnectFailed":
      return cause.error._tag === "ConnectError" ? words[cause.error.reason] : cause.error.message
    case "Dropped":
      return "the connection was lost"
    case "PingTimeout":
      return "no answer any more"
    default:
      return "the connection was closed"
  }
}

/** Problems that a person must repair: waiting does not help. */
const forPeople = new Set<ConnectError.Reason>([
  "ClientCertificateExpired",
  "ClientCertificateRefused",
  "HostnameMismatch",
  "InvalidCa",
  "InvalidOptions",
  "InvalidProxy",
  "KeyLog",
  "NoH2",
  "ProxyAuthenticationRequired",
  "UntrustedServer"
])

/** Why waiting does not help, before a first connection was opened. */
export const hopeless = ({ connectionsOpened, unreachable }: ApnsPool.Stats): string | undefined => {
  const cause = unreachable?.cause
  if (cause?._tag !== "ConnectFailed" || connectionsOpened > 0) return undefined
  const { error } = cause
  return error._tag !== "ConnectError" || forPeople.has(error.reason) ? error.message : undefined
}

/** Since when there is no connection, and why; `undefined` while there is one, or the first one is being opened. */
export const waitingOf = ({ unreachable }: ApnsPool.Stats): Waiting | undefined =>
  unreachable === undefined
    ? undefined
    : { since: DateTime.toEpochMillis(unreachable.since), why: describe(unreachable.cause) }
