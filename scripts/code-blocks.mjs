// The code blocks of pages and docstrings, for those who compile them and those who run them.
import { readFileSync } from "node:fs"
import { extname } from "node:path"

/**
 * The blocks of a file: their language, text, the line of the fence, and the heading that they stand under. A fence that is
 * not closed is a block with a `problem`.
 */
export const codeBlocks = (file) => {
  const blocks = []
  let open = undefined
  let heading = ""
  const isSource = extname(file) === ".ts"
  readFileSync(file, "utf8").split("\n").forEach((text, index) => {
    const inside = isSource ? /^\s*\* ?(.*)$/.exec(text)?.[1] ?? "" : text
    if (open === undefined) {
      if (!isSource) heading = /^#+ (.*)$/.exec(text)?.[1] ?? heading
      const fence = /^(\s*)```(\w*)\s*$/.exec(inside)
      if (fence !== null) {
        open = { file, language: fence[2], indent: fence[1].length, line: index + 1, heading, lines: [] }
      }
    } else if (/^\s*```\s*$/.test(inside)) {
      blocks.push({ ...open, text: open.lines.join("\n") })
      open = undefined
    } else open.lines.push(inside.slice(open.indent))
  })
  return open === undefined ? blocks : [...blocks, { ...open, text: "", problem: "the fence is not closed" }]
}
