import { createClient, Either, Notification, Rejection } from "effect-apns/client"
import type { Setting } from "./Setting.js"

export const run = async ({ apns, remove, tokens }: Setting): Promise<void> => {
  const { ca, host, key, keyId, port, teamId, topic } = apns
  const client = await createClient({ key, keyId, teamId, topic, endpoint: `https://${host}:${port}`, ca })
  const alert = { title: "Lunch", body: "At noon?" }
  const notification = Notification.alert({ alert, badge: 3, sound: "default", custom: { order: 7 } })
  for await (const { result, token } of client.sendAll(tokens, { notification, collapseId: "lunch" })) {
    if (Either.isRight(result)) continue
    if (Rejection.isTokenDead(result.left)) remove(token)
    else console.error(token, result.left)
  }
  await client.close()
}
