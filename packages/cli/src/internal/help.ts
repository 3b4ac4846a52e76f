import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"

/** What a command does, and commands to copy. */
export const help = (
  what: string,
  examples: ReadonlyArray<readonly [command: string, effect: string]>,
  ...more: ReadonlyArray<string>
): HelpDoc.HelpDoc =>
  HelpDoc.blocks([
    HelpDoc.p(what),
    ...more.map((paragraph) => HelpDoc.p(paragraph)),
    ...examples.map(([command, effect]) => HelpDoc.p(Span.spans([Span.code(command), Span.text(`   ${effect}`)])))
  ])
