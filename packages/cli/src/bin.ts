#!/usr/bin/env node
/**
 * @since 0.1.0
 */
import * as module from "node:module"

// Node 22.1 and later cache compiled code for the next start
if ("enableCompileCache" in module && typeof module.enableCompileCache === "function") module.enableCompileCache()

const [word, ...more] = process.argv.slice(2)

// help and version are shown without loading the code that sends
if (word === undefined || ((word === "--help" || word === "-h" || word === "help") && more.length === 0)) {
  const [{ render }, { rootHelp }, { standard }] = await Promise.all([
    import("./internal/help.js"),
    import("./internal/rootHelp.js"),
    import("./internal/terminal.js")
  ])
  standard.result(render(rootHelp, standard.resultColumns()))
} else await import("./internal/main.js")
