import type { Inbox } from "@effect-apns/inbox"
import { Effect } from "effect"

export const token = "0123456789abcdef".repeat(4)
export const other = "fedcba9876543210".repeat(4)

const now = (): number => Math.floor(Date.now() / 1000)

/** Pushes of several apps and kinds, as a day on a phone has them; the last one is the newest. */
export const demo = (inbox: Inbox.Inbox): Effect.Effect<void> =>
  Effect.gen(function*() {
    const send = (options: Parameters<Inbox.Inbox["send"]>[0]) => inbox.send({ token, ...options })
    yield* send({
      pushType: "alert",
      topic: "com.example.messages",
      payload: { aps: { alert: { title: "Frank", body: "I booked the table by the window." }, "thread-id": "lunch" } }
    })
    yield* send({
      pushType: "alert",
      topic: "com.example.messages",
      payload: { aps: { alert: { title: "Jenna", body: "Great, see you at noon!" }, "thread-id": "lunch" } }
    })
    yield* send({
      pushType: "background",
      topic: "com.example.news",
      priority: 5,
      payload: { aps: { "content-available": 1 }, refresh: "headlines", edition: 7 }
    })
    yield* send({
      pushType: "liveactivity",
      topic: "com.example.kickoff",
      priority: 10,
      token: other,
      payload: {
        aps: {
          event: "start",
          timestamp: now(),
          "attributes-type": "MatchAttributes",
          attributes: { home: "Lions", away: "Hawks" },
          "content-state": { score: { home: 0, away: 0 }, minute: 1, phase: "first half" },
          alert: { title: "Lions – Hawks", body: "The match has begun." }
        }
      }
    })
    yield* inbox.answer({ token: other, topic: "com.example.parcel", reason: "Unregistered", times: 1 })
    yield* send({
      pushType: "alert",
      topic: "com.example.parcel",
      token: other,
      payload: { aps: { alert: { title: "Your parcel is on its way", body: "It arrives between 14:00 and 16:00." } } }
    })
    yield* send({
      pushType: "liveactivity",
      topic: "com.example.kickoff",
      priority: 10,
      token: other,
      payload: {
        aps: {
          event: "update",
          timestamp: now() + 1,
          "content-state": { score: { home: 1, away: 0 }, minute: 23, phase: "first half" }
        }
      }
    })
    yield* send({
      pushType: "voip",
      topic: "com.example.phone",
      expiration: 0,
      payload: { callerName: "Jenna Ortiz", callId: "7f1c0e0a" }
    })
    yield* send({
      pushType: "alert",
      topic: "com.example.home-guard",
      payload: {
        aps: {
          alert: { title: "Water in the basement", body: "The sensor by the boiler is wet." },
          sound: { critical: 1, name: "alarm.caf", volume: 1 },
          "interruption-level": "critical"
        }
      }
    })
    yield* send({
      pushType: "alert",
      topic: "com.example.travel",
      collapseId: "gate",
      payload: {
        aps: {
          alert: {
            title: "Boarding at gate B42",
            subtitle: "Flight 1701 to Lisbon",
            body: "The gate closes at 18:25."
          },
          "interruption-level": "time-sensitive",
          badge: 2,
          sound: "default",
          treadId: "flight-1701",
          "relevance-score": 1.5
        }
      }
    })
    yield* send({
      pushType: "alert",
      topic: "com.example.messages",
      payload: {
        aps: {
          alert: { title: "Jenna", body: "On my way, ten minutes." },
          "thread-id": "lunch",
          badge: 3,
          sound: "default"
        }
      }
    })
  }).pipe(Effect.orDie)
