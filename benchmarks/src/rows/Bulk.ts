/**
 * `apns bulk`: a file of tokens in, a file of outcomes out, both on disk, with everything that the command does but the
 * start of a process.
 *
 * @since 1.0.0
 */
import { Cli } from "@effect-apns/cli"
import { NodeContext } from "@effect/platform-node"
import { ConfigProvider, Effect } from "effect"
import { copyFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { keyId, teamId } from "../Bearer.js"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"

/** The most notifications of one run. */
const most = 1_000_000

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const dir = await mkdtemp(join(tmpdir(), "apns-bulk-"))
  const all = join(dir, "all")
  const tokens = Workload.tokens()
  const lineBytes = (tokens[0] ?? "").length + 1
  const lines = tokens.map((token) => `${token}\n`).join("")
  await writeFile(all, lines.repeat(Math.ceil(most / tokens.length)))
  await Promise.all([
    writeFile(join(dir, "ca.pem"), target.ca),
    writeFile(join(dir, "key.p8"), target.signingKey),
    writeFile(join(dir, "payload.json"), Workload.body)
  ])
  const environment = ConfigProvider.fromMap(
    new Map([
      ["APNS_ENDPOINT", `https://localhost:${target.port}`],
      ["APNS_CA_FILE", join(dir, "ca.pem")],
      ["APNS_KEY_FILE", join(dir, "key.p8")],
      ["APNS_KEY_ID", keyId],
      ["APNS_TEAM_ID", teamId],
      ["APNS_TOPIC", Workload.topic],
      ["APNS_POOL_SIZE", String(target.connections)]
    ])
  )
  let runs = 0
  return {
    run: async (first, count) => {
      if (first % tokens.length !== 0) throw new Error(`${first} is not where the tokens begin again`)
      const input = join(dir, `input-${++runs}`)
      const output = join(dir, `output-${runs}`)
      await copyFile(all, input)
      await truncate(input, count * lineBytes)
      const code = await Cli.run([
        ...["bulk", input, "--out", output, "--payload", join(dir, "payload.json"), "--priority", "10", "--quiet"],
        ...["--concurrency", String(target.waiting > 0 ? target.inFlight + target.waiting : 4 * target.inFlight)]
      ]).pipe(Effect.provide(NodeContext.layer), Effect.withConfigProvider(environment), Effect.runPromise)
      if (code !== 0) throw new Error(`apns bulk has ended with code ${code}`)
      await Promise.all([rm(input), rm(output)])
    },
    close: () => rm(dir, { recursive: true })
  }
}
