import { commands } from "./commands.js"
import type { Part } from "./help.js"
import { command, flowing, heading, sections, stack, table } from "./help.js"
import { version } from "./version.js"

const exitCodes = [
  ["0", "done; every notification was accepted"],
  ["1", "some were rejected by APNs or have failed; the output says which"],
  ["2", "not possible: arguments, credentials, a file, or no way to reach APNs"],
  ["3", "stopped by Ctrl-C, SIGTERM or SIGHUP"],
  ["4", "a fault of this command"]
] as const

/** The help of the command without a subcommand. */
export const rootHelp: Part = sections(
  flowing(`apns ${version}: sends Apple push notifications.`),
  stack(
    heading("TRY IT, without Apple and without a device"),
    command("apns mock"),
    command("apns send 0123456789abcdef --title Lunch --body \"At noon?\"")
  ),
  stack(
    heading("COMMANDS"),
    table([
      ...commands.map(({ name, summary }): [string, string] => [name, summary]),
      ["COMMAND --help", "its options; --completions SHELL: for bash, zsh or fish"],
      ["help environment", "the variables: APNS_KEY_FILE, APNS_TOPIC, ..."]
    ])
  ),
  stack(
    heading("EXIT CODES"),
    ...exitCodes.map(([code, meaning]) => flowing(`${code} ${meaning}`))
  )
)

/** `apns help environment`. */
export const environmentHelp: Part = sections(
  flowing("Secrets come from files or the environment, never from arguments, which other users can see."),
  table([
    ["APNS_KEY_FILE", "the .p8 file of a token signing key; or APNS_KEY, its content"],
    ["APNS_KEY_ID", "the 10 characters of the key"],
    ["APNS_TEAM_ID", "the 10 characters of the team"],
    ["APNS_CERT_FILE", "instead of a key: a client certificate (PEM)"],
    ["APNS_CERT_KEY_FILE", "the key of the certificate, where it has a file of its own"],
    ["APNS_P12_FILE", "instead of a key: a client certificate (PKCS#12)"],
    ["APNS_CERT_PASSPHRASE", "what opens the key of the certificate"],
    ["APNS_TOPIC", "the app's bundle ID, where --topic is not given"],
    ["APNS_ENDPOINT", "production (default), development, or https://host[:port]"],
    ["APNS_CA_FILE", "authorities (PEM) to trust, for a server that is not Apple's"],
    ["APNS_POOL_SIZE", "connections, default 10"],
    ["APNS_PROXY", "http://[user:password@]host:port, socks5://..., or env for HTTPS_PROXY and the like"],
    ["NO_COLOR, FORCE_COLOR", "no colors; colors even where the output is no terminal"]
  ])
)
