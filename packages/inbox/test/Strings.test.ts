import { Strings } from "@effect-apns/inbox"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "strings-"))),
  (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
)

const read = (name: string, content: string | Uint8Array, language?: string) =>
  Effect.gen(function*() {
    const file = join(yield* folder, name)
    writeFileSync(file, content)
    return yield* Strings.fromFiles([file], { language })
  }).pipe(Effect.provide(NodeContext.layer))

describe("Strings", () => {
  it.scoped("reads .strings with comments, escapes and bare keys", () =>
    Effect.gen(function*() {
      const strings = yield* read(
        "Localizable.strings",
        `/* a comment; with = "signs" */
"INVITE" = "%1$@ invites \\"you\\" to %2$@\\nsoon"; // more
bare_key = "bare";
"unicode" = "caf\\U00E9";
`
      )
      assert.strictEqual(strings.size, 3)
      assert.strictEqual(strings.localize("INVITE", ["Jenna", "lunch"]), "Jenna invites \"you\" to lunch\nsoon")
      assert.strictEqual(strings.localize("bare_key", []), "bare")
      assert.strictEqual(strings.localize("unicode", []), "café")
      assert.isUndefined(strings.localize("missing", []))
      assert.isUndefined(strings.localize("toString", []))
    }))
  it.scoped("reads UTF-16 of both orders, and a byte order mark", () =>
    Effect.gen(function*() {
      const text = "\"A\" = \"ä\";"
      const little = Buffer.from(`\ufeff${text}`, "utf16le")
      const big = Buffer.from(little).swap16()
      for (const bytes of [little, big, Buffer.from(`\ufeff${text}`, "utf8")]) {
        assert.strictEqual((yield* read("a.strings", bytes)).localize("A", []), "ä")
      }
    }))
  it.scoped("reads a string catalog in a language, with the source language for what is not translated", () =>
    Effect.gen(function*() {
      const unit = (value: string) => ({ stringUnit: { state: "translated", value } })
      const catalog = JSON.stringify({
        sourceLanguage: "en",
        strings: {
          INVITE: { localizations: { en: unit("%@ invites you"), de: unit("%@ lädt dich ein") } },
          ONLY: { localizations: { en: unit("only") } },
          COUNT: {
            localizations: { en: { variations: { plural: { one: unit("%lld push"), other: unit("%lld pushes") } } } }
          },
          "Its own key": {}
        }
      })
      const german = yield* read("a.xcstrings", catalog, "de")
      assert.strictEqual(german.localize("INVITE", ["Jenna"]), "Jenna lädt dich ein")
      assert.strictEqual(german.localize("ONLY", []), "only")
      assert.strictEqual(german.localize("COUNT", ["3"]), "3 pushes")
      assert.strictEqual(german.localize("Its own key", []), "Its own key")
      assert.strictEqual((yield* read("a.xcstrings", catalog)).localize("INVITE", ["Jenna"]), "Jenna invites you")
    }))
  it("fills placeholders in order and by position, and leaves those without an argument", () => {
    const strings = Strings.fromRecord({
      A: "%@ and %@, %d %% of %5.2f",
      B: "%2$@ before %1$@ and %3$@",
      C: "100% sure"
    })
    assert.strictEqual(strings.localize("A", ["x", "y", "3", "4"]), "x and y, 3 % of 4")
    assert.strictEqual(strings.localize("B", ["x", "y"]), "y before x and %3$@")
    assert.strictEqual(strings.localize("C", []), "100% sure")
    assert.strictEqual(strings.localize("A", ["$&", "%@"]), "$& and %@, %d % of %5.2f")
  })
  for (
    const [name, content, says] of [
      ["a.strings", "\"A\" \"B\"", "does not end"],
      ["a.strings", "\"A\" = \"B\" \"C\";", "line 1"],
      ["a.strings", "\n\n{}", "line 3"],
      ["a.strings", "bplist00...", "compiled"],
      ["a.xcstrings", "{", "JSON"],
      ["a.xcstrings", "{}", "strings"]
    ] as const
  ) {
    it.scoped(`says what is wrong with ${name}: ${JSON.stringify(content)}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read(name, content))
        assert.strictEqual(error._tag, "StringsError")
        assert.include(error.message, says)
        assert.include(error.message, name)
      }))
  }
  it.effect("says that a file is missing", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Strings.fromFiles(["/nowhere/a.strings"]))
      assert.include(error.message, "/nowhere/a.strings")
    }).pipe(Effect.provide(NodeContext.layer)))
})
