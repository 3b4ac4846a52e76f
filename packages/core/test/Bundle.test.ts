import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as fixtures from "./fixtures/index.js"

/** What a program prints that esbuild has put into one ES module, as many put theirs for Lambda. */
const bundled = (program: string): Effect.Effect<string> =>
  Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "apns-bundle-"))),
    (folder) =>
      Effect.gen(function*() {
        const outfile = path.join(folder, "program.mjs")
        yield* Effect.promise(() =>
          build({
            stdin: { contents: program, loader: "ts", resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
            bundle: true,
            conditions: ["@effect-apns/source"],
            format: "esm",
            logLevel: "silent",
            outfile,
            platform: "node"
          })
        )
        return yield* Effect.async<string>((resume) => {
          execFile(
            process.execPath,
            [outfile],
            (error, stdout, stderr) => resume(Effect.succeed(error === null ? stdout : `${stdout}${stderr}`))
          )
        })
      }),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )

const through = (scheme: string) => `
  import { Endpoint, Proxy, Transport } from "@effect-apns/core"
  import { Effect, Either } from "effect"
  import * as net from "node:net"
  const server = net.createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 502 No\\r\\n\\r\\n"))
  server.listen(0, "127.0.0.1", async () => {
    const { port } = server.address() as net.AddressInfo
    const proxy = Either.getOrThrow(Proxy.make("${scheme}://127.0.0.1:" + port))
    const error = await Effect.runPromise(Effect.flip(Effect.scoped(Transport.connect({ endpoint: Endpoint.production, proxy }))))
    server.close()
    console.log(error.reason, error.code, error.message)
  })
`

describe("a program bundled into one ES module by esbuild", () => {
  it.live("connects through an HTTP proxy", () =>
    Effect.gen(function*() {
      assert.match(yield* bundled(through("http")), /^Proxy HTTP_502 /)
    }))

  it.live("an archive of Keychain Access -> an error that says what to do", () =>
    Effect.gen(function*() {
      const data = fixtures.bytes("client-legacy.p12").toString("base64")
      const output = yield* bundled(`
        import { Credentials } from "@effect-apns/core"
        import { Effect, Redacted } from "effect"
        const archive = Credentials.pkcs12({ data: Redacted.make("${data}"), passphrase: Redacted.make("secret") })
        const error = await Effect.runPromise(Effect.flip(archive))
        console.log(error.reason, error.message)
      `)
      assert.match(output, /^UnsupportedEncryption .*esbuild --external:node-forge/)
    }))

  it.live("a SOCKS proxy -> an error that says what to do", () =>
    Effect.gen(function*() {
      assert.match(yield* bundled(through("socks5")), /^Proxy SOCKS5 .*esbuild --external:socks/)
    }))
})
