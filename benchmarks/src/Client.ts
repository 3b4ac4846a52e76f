/**
 * What a row must offer to be measured. A row runs in a process of its own and is told where the sink is.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Target {
  readonly port: number
  /** The certificate that the sink shows and that a client has to trust, PEM. */
  readonly ca: string
  /** An ES256 key to sign provider tokens with, PKCS #8 PEM, as in a `.p8` file. */
  readonly signingKey: string
  readonly connections: number
  readonly inFlight: number
  /** Senders beyond those in flight, who wait for a stream to become free. */
  readonly waiting: number
  /** Bytes of a request and of an answer, for the row that sends bytes alone. */
  readonly floorRequestBytes: number
  readonly floorAnswerBytes: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Client {
  /**
   * Sends the notifications `first` to `first + count - 1`, `inFlight` of them at a time, and resolves when every one was
   * accepted. Rejects at the first that was not. Pushes the `apns-id` of each into `ids` where there is one.
   */
  readonly run: (first: number, count: number, ids: Array<string> | undefined) => Promise<void>
  readonly close: () => Promise<void>
  /** What else the last run found, by name. */
  readonly details?: () => Readonly<Record<string, number>>
}

/**
 * A row's module exports this as `open`.
 *
 * @since 0.1.0
 * @category models
 */
export type Open = (target: Target) => Promise<Client>
