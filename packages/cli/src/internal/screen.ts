import * as Context from "effect/Context"
import type { Terminal } from "./terminal.js"
import { standard } from "./terminal.js"

/** The terminal of the program: that of this process, unless a test provides another one. */
export class Screen extends Context.Reference<Screen>()("@effect-apns/cli/Screen", {
  defaultValue: (): Terminal => standard
}) {}
