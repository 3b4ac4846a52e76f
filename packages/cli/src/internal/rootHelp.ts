import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"

const list = (...rows: ReadonlyArray<readonly [string, string]>): HelpDoc.HelpDoc =>
  HelpDoc.p(Span.spans(
    rows.flatMap(([name, meaning]) => [Span.strong(name.padEnd(24)), Span.text(`${meaning}\n`)])
  ))

/** The help of the command without a subcommand: the generated one lists every option of every subcommand. */
export const rootHelp = (version: string): HelpDoc.HelpDoc =>
  HelpDoc.blocks([
    HelpDoc.p(`apns ${version}: sends Apple push notifications.`),
    HelpDoc.h1("TRY IT"),
    HelpDoc.p(
      "Without Apple, without a device: start a mock APNs, copy the lines that it prints into another terminal, and send."
    ),
    HelpDoc.p(Span.code("apns mock")),
    HelpDoc.p(Span.code("apns send 0123456789abcdef --title Lunch --body \"At noon?\"")),
    HelpDoc.h1("COMMANDS"),
    list(
      ["apns send", "sends one notification and says what became of it"],
      ["apns bulk", "sends one notification to many devices; can be stopped and resumed"],
      ["apns simulator", "sends to an iOS Simulator on this Mac"],
      ["apns channels", "creates, reads, lists and deletes broadcast channels"],
      ["apns mock", "runs a mock APNs that prints what it receives"],
      ["apns COMMAND --help", "everything about a command, with examples"]
    ),
    HelpDoc.h1("ENVIRONMENT"),
    HelpDoc.p("Secrets come from files or the environment, never from arguments, which other users can see."),
    list(
      ["APNS_KEY_FILE", "the .p8 file of a token signing key; or APNS_KEY, its content"],
      ["APNS_KEY_ID", "the 10 characters of the key"],
      ["APNS_TEAM_ID", "the 10 characters of the team"],
      [
        "APNS_CERT_FILE",
        "instead of a key: a client certificate (PEM), with APNS_CERT_KEY_FILE where its key is apart"
      ],
      ["APNS_P12_FILE", "instead of a key: a client certificate (PKCS#12)"],
      ["APNS_CERT_PASSPHRASE", "what opens the certificate's key"],
      ["APNS_TOPIC", "the app's bundle ID, where --topic is not given"],
      ["APNS_ENDPOINT", "production (default), development, or https://host[:port]"],
      ["APNS_CA_FILE", "authorities (PEM) to trust, for a server that is not Apple's"],
      ["APNS_POOL_SIZE", "connections, default 10"],
      ["APNS_PROXY", "http://[user:password@]host:port, socks5://..., or env for HTTPS_PROXY and the like"]
    ),
    HelpDoc.h1("EXIT CODES"),
    list(
      ["0", "done; every notification was accepted"],
      ["1", "some were rejected by APNs or have failed; the output says which"],
      ["2", "not possible: arguments, configuration, credentials, a file, or no way to reach APNs"],
      ["3", "stopped by Ctrl-C or SIGTERM"],
      ["4", "a fault of this command"]
    )
  ])
