import { ApnsClient, Errors, Notification } from "apns2"
import type { Setting } from "./Setting.js"
import { trusting } from "./trusting.js"

export const run = async ({ apns, remove, tokens }: Setting): Promise<void> => {
  const { host, key, keyId, teamId, topic } = apns
  const client = trusting(new ApnsClient({ team: teamId, keyId, signingKey: key, defaultTopic: topic, host }), apns)
  client.on(Errors.unregistered, (error) => remove(error.notification.deviceToken))
  for (const token of tokens) {
    const alert = { title: "Lunch", body: "At noon?" }
    const options = { alert, badge: 3, sound: "default", data: { order: 7 }, collapseId: "lunch" }
    try {
      await client.send(new Notification(token, options))
    } catch (error) {
      if (!(error instanceof Error && "reason" in error && error.reason === Errors.unregistered)) console.error(error)
    }
  }
  await client.close()
}
