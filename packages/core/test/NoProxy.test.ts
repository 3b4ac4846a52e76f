import { assert, describe, it } from "@effect/vitest"
import { isExcluded } from "../src/internal/proxyFromEnv.js"

describe("NO_PROXY", () => {
  const cases: ReadonlyArray<readonly [noProxy: string, host: string, port: number, excluded: boolean]> = [
    ["", "api.push.apple.com", 443, false],
    ["*", "api.push.apple.com", 443, true],
    ["*", "::1", 443, true],
    ["localhost, *", "api.push.apple.com", 443, true],
    ["apple.com", "api.push.apple.com", 443, true],
    ["apple.com", "apple.com", 443, true],
    ["apple.com", "pineapple.com", 443, false],
    ["apple.com", "apple.com.example", 443, false],
    [".apple.com", "api.push.apple.com", 443, true],
    [".apple.com", "apple.com", 443, true],
    [".apple.com", "pineapple.com", 443, false],
    ["*.apple.com", "api.push.apple.com", 443, true],
    ["APPLE.com", "api.push.apple.com", 443, true],
    ["apple.com.", "api.push.apple.com", 443, true],
    ["push.apple.com", "api-broadcast.push.apple.com", 443, true],
    ["push.apple.com", "www.apple.com", 443, false],
    ["localhost,,example.com\tapple.com", "api.push.apple.com", 443, true],
    ["apple.com:443", "api.push.apple.com", 443, true],
    ["apple.com:2197", "api.push.apple.com", 443, false],
    ["*:2197", "api.push.apple.com", 2197, true],
    ["com", "api.push.apple.com", 443, true],
    [".", "api.push.apple.com", 443, false],
    ["127.0.0.1", "127.0.0.1", 443, true],
    ["127.0.0.1:443", "127.0.0.1", 443, true],
    ["127.0.0.1:80", "127.0.0.1", 443, false],
    ["0.0.1", "127.0.0.1", 443, false],
    ["\"foo.example,push.apple.com\"", "api.push.apple.com", 443, true],
    ["10.0.0.0/8", "10.20.30.40", 443, true],
    ["10.0.0.0/8", "11.0.0.1", 443, false],
    ["10.0.0.0/8:443", "10.0.0.1", 443, true],
    ["192.168.1.64/26", "192.168.1.65", 443, true],
    ["192.168.1.64/26", "192.168.1.128", 443, false],
    ["0.0.0.0/0", "8.8.8.8", 443, true],
    ["0.0.0.0/0", "api.push.apple.com", 443, false],
    ["10.0.0.0/33", "10.0.0.1", 443, false],
    ["10.0.0.0/", "10.0.0.1", 443, false],
    ["10.0.0.0/8/8", "10.0.0.1", 443, false],
    ["::1", "::1", 443, true],
    ["[::1]", "::1", 443, true],
    ["[::1]:443", "::1", 443, true],
    ["[::1]:80", "::1", 443, false],
    ["0:0:0:0:0:0:0:1", "::1", 443, true],
    ["fd00::/8", "fd12:3456::1", 443, true],
    ["[fd00::]/8", "fd12:3456::1", 443, true],
    ["fd00::/8", "fe80::1", 443, false],
    ["::ffff:10.0.0.0/104", "10.0.0.1", 443, true]
  ]
  for (const [noProxy, host, port, excluded] of cases) {
    it(`${JSON.stringify(noProxy)} ${excluded ? "excludes" : "does not exclude"} ${host}:${port}`, () => {
      assert.strictEqual(isExcluded(host, port, noProxy), excluded)
    })
  }
})
