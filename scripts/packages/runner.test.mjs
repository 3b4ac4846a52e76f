// Run by Jest and by vitest's vmThreads, whose code lives in a realm of its own; both have test and expect as globals.
import { createClient, Notification } from "effect-apns/client"
import { generateKeyPairSync } from "node:crypto"

test("an error of a socket is known by its code", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const client = await createClient({
    endpoint: "https://127.0.0.1:1",
    key: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" }).toString()),
    keyId: "ABC123DEFG",
    teamId: "DEF123GHIJ",
    topic: "com.example.app"
  })
  const error = await client.send({
    token: "aa",
    notification: Notification.alert({ alert: "Hello" }),
    deadline: new Date(Date.now() + 300)
  }).catch((error) => error)
  await client.close()
  expect(error._tag).toBe("Timeout")
  expect(error.closeCause.error.reason).toBe("Refused")
})
