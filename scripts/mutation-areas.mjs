// The files that hold the promise of exactly one true outcome, and for each the tests that are to notice when it
// breaks: those that are about it, without storms, fuzzing and other servers, so that one file takes minutes.

const http2 = ["Session", "Violations", "Edges", "Details", "Head", "SharedStreams"].map((name) =>
  `packages/http2/test/${name}.test.ts`
)
const rooms = (...names) => names.map((name) => `packages/http2/test/internal/${name}.test.ts`)
const hpack = ["Hpack"].map((name) => `packages/http2/test/${name}.test.ts`)

/** @type {Readonly<Record<string, ReadonlyArray<string>>>} */
export const areas = {
  "packages/http2/src/Hpack.ts": hpack,
  "packages/http2/src/internal/hpackDecoder.ts": [...rooms("HpackDecoder"), ...hpack],
  "packages/http2/src/internal/hpackEncoder.ts": [...rooms("HpackEncoder"), ...hpack],
  "packages/http2/src/internal/huffman.ts": [...rooms("Huffman"), ...hpack],
  "packages/http2/src/Session.ts": http2,
  "packages/http2/src/internal/allowance.ts": rooms("Allowance"),
  "packages/http2/src/internal/fields.ts": rooms("Fields"),
  "packages/http2/src/internal/frameReader.ts": rooms("FrameReader"),
  "packages/http2/src/internal/headerBlock.ts": rooms("Uploads"),
  "packages/http2/src/internal/output.ts": rooms("Output"),
  "packages/http2/src/internal/resets.ts": rooms("Resets"),
  "packages/http2/src/internal/settings.ts": rooms("Settings"),
  "packages/http2/src/internal/streamTable.ts": rooms("StreamTable"),
  "packages/http2/src/internal/uploads.ts": rooms("Uploads"),
  "packages/core/src/internal/keepAlive.ts": ["packages/core/test/KeepAlive.test.ts"],
  "packages/core/src/internal/post.ts": ["packages/core/test/Post.test.ts"],
  "packages/core/src/internal/providerToken.ts": [
    "packages/core/test/ProviderToken.test.ts",
    "packages/core/test/SharedToken.test.ts",
    "packages/core/test/ProviderTokenMemory.long.test.ts"
  ],
  "packages/core/src/internal/wire.ts": [
    "packages/core/test/Wire.test.ts",
    "packages/core/test/Connection.test.ts",
    "packages/core/test/Floods.test.ts"
  ],
  "packages/core/src/unstable/Deadlines.ts": ["packages/core/test/Deadlines.test.ts"],
  "packages/pool/src/internal/engine.ts": ["packages/pool/test/Deliveries.test.ts"],
  "packages/pool/src/internal/roster.ts": ["packages/pool/test/Roster.test.ts"],
  "packages/pool/src/internal/verdict.ts": ["packages/pool/test/Verdict.test.ts"],
  "packages/pool/src/internal/waiting.ts": ["packages/pool/test/Waiting.test.ts"],
  "packages/cli/src/internal/journal.ts": ["packages/cli/test/Journal.test.ts"]
}

/** What `MUTATE` names, separated by commas; all files where it is not set. */
export const wanted = process.env["MUTATE"]?.split(",") ?? Object.keys(areas)

for (const file of wanted) {
  if (!(file in areas)) throw new Error(`No tests are known for ${file}: add it to scripts/mutation-areas.mjs`)
}

/** What the report of a file is called in `reports/mutation`. */
export const nameOf = (file) => file.replace(/^packages\/|\.ts$/g, "").replaceAll("/", "-")

export const tests = [...new Set(wanted.flatMap((file) => areas[file]))]
