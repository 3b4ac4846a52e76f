import { createClient, Notification, Rejection } from "effect-apns/client"
import type { Setting } from "./Setting.js"

export const run = async ({ apns, remove, tokens }: Setting): Promise<void> => {
  const { ca, host, key, keyId, port, teamId, topic } = apns
  const client = await createClient({ key, keyId, teamId, topic, endpoint: `https://${host}:${port}`, ca })
  const alert = { title: "Lunch", body: "At noon?" }
  const notification = Notification.alert({ alert, badge: 3, sound: "default", custom: { order: 7 } })
  for (const token of tokens) {
    try {
      await client.send({ token, notification, collapseId: "lunch" })
    } catch (error) {
      if (Rejection.isTokenDead(error)) remove(token)
      else console.error(error)
    }
  }
  await client.close()
}
