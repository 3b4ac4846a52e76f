/**
 * Throw-away certificates for tests: an authority that exists in memory only, and what it signs. Use them in
 * tests only.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as x509 from "./internal/x509.js"

const day = 24 * 60 * 60 * 1000

/**
 * A certificate and its private key, both PEM (the key as PKCS #8).
 *
 * @since 0.1.0
 * @category models
 */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/**
 * When a certificate is valid: `"valid"` from yesterday for thirty days, `"expired"` until yesterday, `"future"` from
 * tomorrow on.
 *
 * @since 0.1.0
 * @category models
 */
export type Validity = "valid" | "expired" | "future"

/**
 * What a client certificate says, after Apple's "Establishing a certificate-based connection to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions {
  /** The bundle ID: the UID of the subject, and the topic of requests that name none. */
  readonly bundleId: string
  /** The topics listed in extension 1.2.840.113635.100.6.3.6. Defaults to none: the certificate serves `bundleId` alone. */
  readonly topics?: ReadonlyArray<string> | undefined
  /** The environments it is good for. Defaults to both. */
  readonly environments?: ReadonlyArray<"development" | "production"> | undefined
  /** Defaults to `"valid"`. */
  readonly validity?: Validity | undefined
}

/**
 * An authority in memory.
 *
 * @since 0.1.0
 * @category models
 */
export interface Authority {
  /** The PEM of the authority's certificate: what a client puts into its `ca` option to trust it. */
  readonly ca: string
  /** A server certificate for these names and addresses. */
  readonly server: (
    options?: { readonly hosts?: ReadonlyArray<string> | undefined; readonly validity?: Validity | undefined }
  ) => Certificate
  /** A client certificate as Apple issues them for push. */
  readonly client: (options: ClientOptions) => Certificate
}

/**
 * The names in the mock's own certificate.
 *
 * @since 0.1.0
 * @category constants
 */
export const loopbackHosts: ReadonlyArray<string> = ["localhost", "127.0.0.1", "::1"]

const span = (now: number, validity: Validity | undefined): { notBefore: number; notAfter: number } => {
  switch (validity) {
    case "expired":
      return { notBefore: now - 30 * day, notAfter: now - day }
    case "future":
      return { notBefore: now + day, notAfter: now + 30 * day }
    default:
      return { notBefore: now - day, notAfter: now + 30 * day }
  }
}

/**
 * Makes a fresh authority. Validity is counted from the wall clock even where a test clock is installed: the TLS
 * library that checks the certificates uses no other clock.
 *
 * @example
 * ```ts
 * import { Certificates } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const authority = yield* Certificates.makeAuthority()
 *   const outdated = authority.client({ bundleId: "com.example.app", validity: "expired" })
 *   return outdated.cert
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeAuthority = (
  options?: { readonly commonName?: string | undefined }
): Effect.Effect<Authority> =>
  Effect.map(Effect.withClock(Clock.currentTimeMillis, Clock.make()), (now): Authority => {
    const root = x509.issue({
      commonName: options?.commonName ?? "effect-apns throw-away authority",
      ca: true,
      ...span(now, "valid")
    })
    return {
      ca: root.cert,
      server: (server) => {
        const hosts = server?.hosts ?? loopbackHosts
        const { cert, key } = x509.issue(
          { commonName: hosts[0] ?? "localhost", hosts, server: true, ...span(now, server?.validity) },
          root.issuer
        )
        return { cert, key }
      },
      client: ({ bundleId, environments, topics, validity }) => {
        const { cert, key } = x509.issue({
          commonName: `Apple Push Services: ${bundleId}`,
          userId: bundleId,
          topics,
          environments: environments ?? ["development", "production"],
          ...span(now, validity)
        }, root.issuer)
        return { cert, key }
      }
    }
  })
