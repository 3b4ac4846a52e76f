/**
 * What a peer's SETTINGS say (RFC 9113 section 6.5).
 */
import { ErrorCode } from "../ErrorCode.js"
import { maxInt31, minMaxFrameSize, SettingId } from "../Frame.js"
import type { PeerSettings, ProtocolError } from "../Session.js"

/** The values that are in force, while one SETTINGS frame is read. */
export class SettingsUpdate {
  headerTableSize: number
  maxConcurrentStreams: number
  initialWindowSize: number
  maxFrameSize: number
  maxHeaderListSize: number
  /** The smallest HEADER_TABLE_SIZE on the way from the old one to the new one (RFC 7541 section 4.2). */
  smallestTableSize: number

  constructor(before: PeerSettings) {
    this.headerTableSize = before.headerTableSize
    this.maxConcurrentStreams = before.maxConcurrentStreams
    this.initialWindowSize = before.initialWindowSize
    this.maxFrameSize = before.maxFrameSize
    this.maxHeaderListSize = before.maxHeaderListSize
    this.smallestTableSize = before.headerTableSize
  }

  /** Reads the entries of a frame in order, and stops at the first invalid one. Unknown settings are ignored. */
  read(bytes: Buffer, start: number, end: number): ProtocolError | undefined {
    for (let at = start; at < end; at += 6) {
      const value = bytes.readUInt32BE(at + 2)
      switch (bytes.readUInt16BE(at)) {
        case SettingId.HEADER_TABLE_SIZE: {
          this.headerTableSize = value
          this.smallestTableSize = Math.min(this.smallestTableSize, value)
          break
        }
        case SettingId.ENABLE_PUSH: {
          if (value !== 0) {
            return { code: ErrorCode.PROTOCOL_ERROR, message: "The peer set ENABLE_PUSH, which a server may not" }
          }
          break
        }
        case SettingId.MAX_CONCURRENT_STREAMS: {
          this.maxConcurrentStreams = value
          break
        }
        case SettingId.INITIAL_WINDOW_SIZE: {
          if (value > maxInt31) {
            return { code: ErrorCode.FLOW_CONTROL_ERROR, message: "The peer set INITIAL_WINDOW_SIZE above 2^31-1" }
          }
          this.initialWindowSize = value
          break
        }
        case SettingId.MAX_FRAME_SIZE: {
          if (value < minMaxFrameSize || value > 0xff_ffff) {
            return {
              code: ErrorCode.PROTOCOL_ERROR,
              message: "The peer set MAX_FRAME_SIZE outside of 16384 to 16777215"
            }
          }
          this.maxFrameSize = value
          break
        }
        case SettingId.MAX_HEADER_LIST_SIZE: {
          this.maxHeaderListSize = value
          break
        }
        default:
          // RFC 9113 section 6.5.2: unknown settings are ignored
      }
    }
    return undefined
  }

  /** The values that are in force now. */
  result(): PeerSettings {
    return {
      headerTableSize: this.headerTableSize,
      maxConcurrentStreams: this.maxConcurrentStreams,
      initialWindowSize: this.initialWindowSize,
      maxFrameSize: this.maxFrameSize,
      maxHeaderListSize: this.maxHeaderListSize
    }
  }
}
