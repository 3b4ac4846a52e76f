/**
 * HTTP/2 error codes (RFC 9113 section 7).
 *
 * @example
 * ```ts
 * import { ErrorCode, name } from "@effect-apns/http2/ErrorCode"
 *
 * console.log(name(ErrorCode.REFUSED_STREAM)) // REFUSED_STREAM
 * console.log(name(0x99)) // UNKNOWN(0x99)
 * ```
 *
 * @since 0.1.0
 */

/**
 * The error codes of RFC 9113 section 7, by name.
 *
 * @since 0.1.0
 * @category constants
 */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd
} as const

/**
 * The name of an error code; codes that RFC 9113 does not define are printed as `UNKNOWN(0x…)`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const name = (code: number): string => {
  for (const [key, value] of Object.entries(ErrorCode)) {
    if (value === code) return key
  }
  return `UNKNOWN(0x${code.toString(16)})`
}
