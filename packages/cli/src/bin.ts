#!/usr/bin/env node
/**
 * @since 0.1.0
 */
import * as module from "node:module"

// Node 22.1 and later cache compiled code for the next start
if ("enableCompileCache" in module && typeof module.enableCompileCache === "function") module.enableCompileCache()

// who reads the output may go away before it is complete: that ends the output, not what is being done
let isTold = false
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || isTold || stream === process.stderr) return
    isTold = true
    process.stderr.write(
      `The output could not be written: ${error.code === "ENOSPC" ? "the disk is full" : error.message}\n`
    )
  })
}

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
