import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Runs a program in a fresh process, and returns the URL of every module that it loaded. */
const loadedBy = (program: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.async((resume) => {
    const hook = `
      let port
      export const initialize = (data) => { port = data.port }
      export const load = (url, context, next) => { port.postMessage(url); return next(url, context) }
    `
    const script = `
      import { register } from "node:module"
      import { MessageChannel } from "node:worker_threads"
      const { port1, port2 } = new MessageChannel()
      const urls = []
      port1.on("message", (url) => urls.push(url))
      register("data:text/javascript," + ${JSON.stringify(encodeURIComponent(hook))}, {
        data: { port: port2 }, transferList: [port2]
      })
      await (async () => { ${program} })()
      await new Promise((resolve) => setImmediate(resolve))
      port1.close()
      console.log(JSON.stringify(urls))
    `
    const child = execFile(
      process.execPath,
      ["--conditions=@effect-apns/source", "--import", "tsx", "--input-type=module", "--eval", script],
      { cwd: fileURLToPath(new URL("..", import.meta.url)), maxBuffer: 1 << 26 },
      (error, stdout) => {
        if (error !== null) return resume(Effect.die(error))
        const urls: ReadonlyArray<string> = JSON.parse(stdout)
        resume(Effect.succeed(urls))
      }
    )
    return Effect.sync(() => child.kill())
  })

const packagesOf = (urls: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(urls.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []))

const has = (urls: ReadonlyArray<string>, file: string): boolean => urls.some((url) => url.endsWith(file))

describe("importing @effect-apns/pool", () => {
  it.live("loads effect, @effect/platform and itself, and nothing that only some programs need", () =>
    Effect.gen(function*() {
      const urls = yield* loadedBy(`await import("@effect-apns/pool")`)
      assert.isTrue(has(urls, "/pool/src/internal/engine.ts"))
      assert.isTrue(has(urls, "/core/src/internal/providerToken.ts"))
      const own = new Set(["effect", "@effect/platform"])
      // what these two bring along is theirs
      const foreign = yield* loadedBy(`await import("effect"); await import("@effect/platform")`)
      const others = [...packagesOf(urls)].filter((name) => !own.has(name) && !packagesOf(foreign).has(name))
      assert.deepStrictEqual(others.filter((name) => !name.startsWith("@effect-apns/")), [])
      assert.isFalse(has(urls, "/core/src/internal/proxyTunnel.ts"))
    }))

  it.live("loads @noble/curves only for the first signature", () =>
    Effect.gen(function*() {
      const urls = yield* loadedBy(`
        const { ProviderToken } = await import("@effect-apns/core")
        const { Effect, Redacted } = await import("effect")
        const { generateKeyPairSync } = await import("node:crypto")
        const pem = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" })
        const signer = ProviderToken.make({ key: Redacted.make(pem), keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
        const { current } = await Effect.runPromise(signer)
        await Effect.runPromise(current)
      `)
      assert.isTrue(packagesOf(urls).has("@noble/curves"))
      assert.isFalse(packagesOf(urls).has("socks"))
    }))

  for (const scheme of ["http", "socks5"]) {
    it.live(`loads socks only for the first connection through a SOCKS proxy: ${scheme}`, () =>
      Effect.gen(function*() {
        const urls = yield* loadedBy(`
          const { createServer } = await import("node:net")
          const server = createServer((socket) => socket.on("error", () => {}).end())
          await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
          process.env["HTTPS_PROXY"] = "${scheme}://127.0.0.1:" + server.address().port
          const { Endpoint, Transport } = await import("@effect-apns/core")
          const { Effect } = await import("effect")
          const options = { endpoint: Endpoint.production, proxy: "env" }
          const error = await Effect.runPromise(Effect.flip(Effect.scoped(Transport.connect(options))))
          server.close()
          if (error.phase !== "proxy") throw error
        `)
        assert.strictEqual(packagesOf(urls).has("socks"), scheme === "socks5")
      }))
  }
})
