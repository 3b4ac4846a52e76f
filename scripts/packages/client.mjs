// Goes through a proxy that is not there, and expects the typed error that says so.
import { createClient, Notification } from "effect-apns/client"
import { generateKeyPairSync } from "node:crypto"

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const client = await createClient({
  endpoint: "https://127.0.0.1:1",
  proxy: "http://user:password@127.0.0.1:1",
  key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
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
if (error._tag !== "Timeout" || error.closeCause?.error?.reason !== "Proxy") throw error
