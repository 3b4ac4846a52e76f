/**
 * The status that goes with each reason (Apple: "Handling notification responses from APNs", "Handling error responses
 * from Apple Push Notification service").
 *
 * @internal
 */

const statuses: Readonly<Record<string, number>> = {
  BadCertificate: 403,
  BadCertificateEnvironment: 403,
  BadEnvironmentKeyIdInToken: 403,
  BadEnvironmentKeyInToken: 403,
  BadPath: 404,
  ExpiredProviderToken: 403,
  ExpiredToken: 410,
  Forbidden: 403,
  InternalServerError: 500,
  InvalidProviderToken: 403,
  MethodNotAllowed: 405,
  MissingProviderToken: 403,
  PayloadTooLarge: 413,
  "Service Unavailable": 503,
  ServiceUnavailable: 503,
  Shutdown: 503,
  TooManyProviderTokenUpdates: 429,
  TooManyRequests: 429,
  TopicMismatch: 403,
  UnrelatedKeyIdInToken: 403,
  Unregistered: 410
}

/** @internal */
export const statusOf = (reason: string): number => statuses[reason] ?? 400
