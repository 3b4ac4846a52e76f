/** Where the programs of the guide send to, and for whom. */
export interface Setting {
  readonly apns: {
    readonly host: string
    readonly port: number
    readonly ca: string
    readonly key: string
    readonly keyId: string
    readonly teamId: string
    readonly topic: string
  }
  readonly tokens: ReadonlyArray<string>
  /** Called with each token that is dead. */
  readonly remove: (token: string) => void
}
