/**
 * Why a connection to APNs could not be opened.
 *
 * @example
 * ```ts
 * import type { ConnectError } from "@effect-apns/core/ConnectError"
 *
 * // These may go away without a change; the others need a person.
 * export const isTransient = (error: ConnectError): boolean =>
 *   error.reason === "Dns" || error.reason === "Refused" || error.reason === "Reset" || error.reason === "Timeout"
 * ```
 *
 * @since 0.1.0
 */
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Schema from "effect/Schema"
import { FromString } from "./Endpoint.js"

/**
 * What went wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export type Reason =
  /** The host name has no address, or no name server answered. */
  | "Dns"
  /** Nothing listens at the address (ECONNREFUSED). */
  | "Refused"
  /** No route to the address, or a firewall forbids it. */
  | "Unreachable"
  /** The other side closed the connection before it was usable. */
  | "Reset"
  /** The connect timeout passed; `phase` says in which step. */
  | "Timeout"
  /** The server's certificate is not signed by a trusted authority, or not valid now. */
  | "UntrustedServer"
  /** The server's certificate is for another name. */
  | "HostnameMismatch"
  /** The server does not speak HTTP/2 (ALPN, RFC 7301). */
  | "NoH2"
  /** The server refused the client certificate. */
  | "ClientCertificateRefused"
  /** The client certificate is past its validity. */
  | "ClientCertificateExpired"
  /** The certificate authority given is not PEM. */
  | "InvalidCa"
  /** The TLS handshake failed in another way, such as a server below TLS 1.2. */
  | "Tls"
  /** The server speaks HTTP/2 in a way that RFC 9113 does not allow, or refused the connection with GOAWAY. */
  | "Http2"
  /** The proxy could not be reached, or could not reach the server. */
  | "Proxy"
  /** The proxy wants credentials, or refused those given. */
  | "ProxyAuthenticationRequired"
  /** The proxy's address, from the options or the environment, is not usable. */
  | "InvalidProxy"
  /** The key log file could not be opened. */
  | "KeyLog"
  /** An option has a wrong value; `message` names it and says what to give. A span of time needs a unit, for example. */
  | "InvalidOptions"
  /** Another socket error; see `code`. */
  | "Socket"

/**
 * The step that failed, in the order they are taken.
 *
 * @since 0.1.0
 * @category errors
 */
export type Phase = "setup" | "dns" | "proxy" | "tcp" | "tls" | "http2"

const reasons = [
  "Dns",
  "Refused",
  "Unreachable",
  "Reset",
  "Timeout",
  "UntrustedServer",
  "HostnameMismatch",
  "NoH2",
  "ClientCertificateRefused",
  "ClientCertificateExpired",
  "InvalidCa",
  "Tls",
  "Http2",
  "Proxy",
  "ProxyAuthenticationRequired",
  "InvalidProxy",
  "KeyLog",
  "InvalidOptions",
  "Socket"
] as const satisfies ReadonlyArray<Reason>

const phases = ["setup", "dns", "proxy", "tcp", "tls", "http2"] as const satisfies ReadonlyArray<Phase>

/**
 * A connection that could not be opened. No request was sent on it. `code` is the code of the socket, DNS or TLS error,
 * such as `ECONNREFUSED`, or the proxy's status, such as `HTTP_502`; `message` says what happened and what to change.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectError extends Schemas.taggedError<ConnectError>()("ConnectError", () => ({
  reason: Schema.Literal(...reasons),
  phase: Schema.Literal(...phases),
  endpoint: FromString,
  code: Schema.optional(Schema.String),
  message: Schema.String,
  cause: Schema.optional(Schema.Defect)
})) {}
