import type { Subcommand } from "./subcommand.js"

/** A subcommand that is loaded when it is used, so that the dependencies of one do not make the others start slowly. */
export interface Entry {
  readonly name: string
  /** Its description in the list of commands. */
  readonly summary: string
  readonly load: () => Promise<Subcommand>
}

/** The subcommands, in the order of the help. */
export const commands: ReadonlyArray<Entry> = [
  {
    name: "send",
    summary: "sends one notification and says what became of it",
    load: async () => (await import("./send.js")).send
  },
  {
    name: "bulk",
    summary: "sends one notification to many devices; can be resumed",
    load: async () => (await import("./bulk.js")).bulk
  },
  {
    name: "simulator",
    summary: "sends to an iOS Simulator on this Mac",
    load: async () => (await import("./simulator.js")).simulator
  },
  {
    name: "channels",
    summary: "creates, reads, lists and deletes broadcast channels",
    load: async () => (await import("./channels.js")).channels
  },
  {
    name: "mock",
    summary: "runs a mock APNs that prints what it receives",
    load: async () => (await import("./mock.js")).mock
  },
  {
    name: "inbox",
    summary: "shows your pushes in the browser, as a phone would",
    load: async () => (await import("./inbox.js")).inbox
  },
  {
    name: "outbox",
    summary: "sends from a database: at a given time, through crashes",
    load: async () => (await import("./outbox.js")).outbox
  }
]
