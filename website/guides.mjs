/** The guides, in the order in which to read them: the sidebar of the site. */
export const guides = [
  {
    text: "First steps",
    items: [
      { text: "Start: five minutes, with the mock", link: "/start" },
      { text: "From zero with Apple", link: "/apple" },
      { text: "Without Effect", link: "/client" }
    ]
  },
  {
    text: "Send",
    items: [
      { text: "Sending", link: "/sending" },
      { text: "What becomes of a notification", link: "/outcomes" },
      { text: "Send again later", link: "/retry-later" },
      { text: "Device tokens over time", link: "/tokens" },
      { text: "Wallet, Safari and device management", link: "/special-cases" }
    ]
  },
  {
    text: "Production",
    items: [
      { text: "Production", link: "/production" },
      { text: "Credentials, endpoints, proxies", link: "/credentials" },
      { text: "Observability", link: "/observability" },
      { text: "Troubleshooting", link: "/troubleshooting" },
      { text: "Performance", link: "/performance" }
    ]
  },
  {
    text: "Many tenants",
    items: [{ text: "Pool and many tenants", link: "/pool" }]
  },
  {
    text: "Durable delivery",
    items: [{ text: "Outbox: durable and scheduled", link: "/outbox" }]
  },
  {
    text: "Try and test",
    items: [
      { text: "Testing", link: "/testing" },
      { text: "Inbox: see your pushes", link: "/inbox" },
      { text: "The apns command", link: "/cli" }
    ]
  },
  {
    text: "More",
    items: [
      { text: "One connection", link: "/connection" },
      { text: "Coming from another client", link: "/migration" },
      { text: "What is supported", link: "/support" },
      { text: "Benchmarks", link: "/benchmarks" },
      { text: "Architecture", link: "/architecture" },
      { text: "Mutation testing", link: "/mutation" },
      { text: "API reference", link: "/reference/" }
    ]
  }
]
