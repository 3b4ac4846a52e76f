/**
 * @since 0.1.0
 */
export * as ApnsMetrics from "./ApnsMetrics.js"

/**
 * @since 0.1.0
 */
export * as ApnsPool from "./ApnsPool.js"

/**
 * @since 0.1.0
 */
export * as ApnsPoolMap from "./ApnsPoolMap.js"

/**
 * @since 0.1.0
 */
export * as Broadcast from "./Broadcast.js"

/**
 * @since 0.1.0
 */
export * as Channels from "./Channels.js"

/**
 * @since 0.1.0
 */
export * as PoolConfig from "./PoolConfig.js"

/**
 * @since 0.1.0
 */
export * as Receipt from "./Receipt.js"

export {
  /**
   * @since 0.1.0
   */
  send
} from "./Send.js"

/**
 * @since 0.1.0
 */
export * as Send from "./Send.js"

export {
  /**
   * @since 0.1.0
   */
  sendAll,
  /**
   * @since 0.1.0
   */
  sendEach
} from "./SendAll.js"

/**
 * @since 0.1.0
 */
export * as SendAll from "./SendAll.js"

/**
 * @since 0.1.0
 */
export * as Simulator from "./Simulator.js"

/**
 * @since 0.1.0
 */
export * as Tracing from "./Tracing.js"
