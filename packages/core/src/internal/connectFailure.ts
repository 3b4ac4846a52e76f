import * as Predicate from "effect/Predicate"
import type { Phase, Reason } from "../ConnectError.js"
import { ConnectError } from "../ConnectError.js"
import type { Endpoint } from "../Endpoint.js"

/** Error codes of OpenSSL's certificate verification, as Node names them: the server cannot be trusted. */
const untrusted = new Set([
  "CERT_CHAIN_TOO_LONG",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REJECTED",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERROR_IN_CERT_NOT_AFTER_FIELD",
  "ERROR_IN_CERT_NOT_BEFORE_FIELD",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
  "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

// By their fields, not by their class: under a test runner the errors of Node belong to another realm.

/** A field of what was thrown, if that is a text. What a caller's lookup fails with may be anything, even throw. */
const textOf = (error: unknown, field: "code" | "message"): string | undefined => {
  try {
    const value: unknown = Predicate.hasProperty(error, field) ? error[field] : undefined
    return typeof value === "string" ? value : undefined
  } catch {
    return undefined
  }
}

export const codeOf = (error: unknown): string | undefined => textOf(error, "code")

const messageOf = (error: unknown): string | undefined => textOf(error, "message")

const reasonOf = (code: string, phase: Phase): Reason => {
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_FAIL":
    case "ENODATA":
      return "Dns"
    case "ECONNREFUSED":
      return "Refused"
    case "EACCES":
    case "EADDRNOTAVAIL":
    case "EHOSTDOWN":
    case "EHOSTUNREACH":
    case "ENETDOWN":
    case "ENETUNREACH":
    case "EPERM":
      return "Unreachable"
    case "ETIMEDOUT":
      return "Timeout"
    case "ECONNRESET":
    case "EPIPE":
      return "Reset"
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "HostnameMismatch"
  }
  if (untrusted.has(code)) return "UntrustedServer"
  if (/ALERT_NO_APPLICATION_PROTOCOL/.test(code)) return "NoH2"
  if (/ALERT_(.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) return "ClientCertificateRefused"
  // The peer closed normally, but too early.
  if (code === "" && (phase === "tls" || phase === "http2")) return "Reset"
  if (phase === "tls" || /^(ERR_SSL|ERR_TLS|EPROTO)/.test(code)) return "Tls"
  return phase === "dns" ? "Dns" : "Socket"
}

const advice = (reason: Reason, endpoint: Endpoint, code: string): string => {
  const { host, origin, port } = endpoint
  switch (reason) {
    case "Dns":
      return `The name ${host} could not be resolved (${code}): check the endpoint and the name server of this machine`
    case "Refused":
      return `Nothing listens at ${host}:${port}: check host and port of the endpoint`
    case "Unreachable":
      return `${host}:${port} is unreachable (${code}): let outgoing connections to it through, or configure a proxy`
    case "Timeout":
      return `${host}:${port} did not answer (${code}): let outgoing connections to it through, or configure a proxy`
    case "Reset":
      return `${origin} closed the connection before it was ready (${code}): try again later, and check that it is an APNs server`
    case "HostnameMismatch":
      return `The certificate of ${origin} is for another name: connect by the name in its certificate`
    case "UntrustedServer":
      return `The certificate of ${origin} is not trusted (${code}): pass its authority as \`ca\`, or keep the authorities of this machine up to date`
    case "NoH2":
      return `${origin} does not speak HTTP/2: check that it is an APNs server and that no proxy rewrites TLS`
    case "ClientCertificateRefused":
      return code.endsWith("CERTIFICATE_REQUIRED")
        ? `${origin} wants a client certificate: pass one as \`credentials\``
        : `${origin} refused the client certificate (${code}): use a certificate that Apple issued for this environment`
    case "Tls":
      return code === "ERR_SSL_WRONG_VERSION_NUMBER"
        ? `${origin} does not speak TLS: check host and port of the endpoint`
        : code.endsWith("HANDSHAKE_FAILURE")
        ? `${origin} refused the TLS handshake (${code}): it may want a client certificate, or share no cipher with us`
        : `The TLS handshake with ${origin} failed (${code}): TLS 1.2 or later is needed`
    default:
      return `The connection to ${origin} failed (${code}): check the network between this machine and it`
  }
}

/**
 * The error for a socket that closed with `code` before it was usable. Under TLS 1.3 a server refuses a client
 * certificate after the client's side of the handshake, so that phase `http2` too can end in `ClientCertificateRefused`.
 */
export const fromCode = (endpoint: Endpoint, phase: Phase, code: string | undefined, cause: unknown): ConnectError => {
  const text = code ?? messageOf(cause) ?? "without an error"
  const reason = reasonOf(code ?? "", phase)
  return new ConnectError({
    reason,
    phase,
    endpoint,
    code,
    message: advice(reason, endpoint, text),
    ...(cause === undefined ? {} : { cause })
  })
}

/** An error of a socket, as a `ConnectError` that says what to change. */
export const fromError = (endpoint: Endpoint, phase: Phase, error: unknown): ConnectError =>
  fromCode(endpoint, phase, codeOf(error), error)

/** The error for a server that chose another protocol than `h2`, or none. */
export const noH2 = (endpoint: Endpoint): ConnectError =>
  new ConnectError({ reason: "NoH2", phase: "tls", endpoint, message: advice("NoH2", endpoint, "") })
