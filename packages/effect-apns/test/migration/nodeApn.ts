import apn from "@parse/node-apn"
import type { Setting } from "./Setting.js"

export const run = async ({ apns, remove, tokens }: Setting): Promise<void> => {
  const { ca, host, key, keyId, port, teamId, topic } = apns
  const provider = new apn.Provider({ token: { key, keyId, teamId }, address: host, port, ca: [ca] })
  const note = new apn.Notification({
    aps: { alert: { title: "Lunch", body: "At noon?" }, badge: 3, sound: "default" }
  })
  note.topic = topic
  note.pushType = "alert"
  note.payload = { order: 7 }
  note.collapseId = "lunch"
  const { failed } = await provider.send(note, [...tokens])
  for (const { device, error, response } of failed) {
    if (response?.reason === "Unregistered") remove(device)
    else console.error(device, error ?? response)
  }
  await provider.shutdown()
}
