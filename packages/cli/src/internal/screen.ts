import * as Context from "effect/Context"
import type { Terminal } from "./terminal.js"
import { standard } from "./terminal.js"

/** The terminal that a program speaks to: that of this process, unless a test has another one. */
export class Screen extends Context.Reference<Screen>()("@effect-apns/cli/Screen", {
  defaultValue: (): Terminal => standard
}) {}
