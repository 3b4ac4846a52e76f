// What programs are typed with, under each way of resolving modules.
import { ApnsPool, Credentials, Endpoint, Notification, send } from "effect-apns"
import type { SendError } from "effect-apns/client"
import { createClient, Rejection } from "effect-apns/client"

export const ApnsLive = ApnsPool.layer({
  endpoint: Endpoint.production,
  credentials: Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
})
const notification = Notification.alert({ alert: "Hello" })
export const sending = send({ token: "aa", notification })

export const main = async (): Promise<SendError["_tag"] | undefined> => {
  const client = await createClient({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
  try {
    await client.send({ token: "aa", notification, timeout: "5 seconds" })
  } catch (error) {
    if (Rejection.isTokenDead(error)) return error._tag
  }
  for await (const { result, token } of client.sendAll(["aa"], { notification })) console.log(token, result._tag)
  // @ts-expect-error a bare number is no span of time
  await client.send({ token: "aa", notification, timeout: 5 })
  return undefined
}
