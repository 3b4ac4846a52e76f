/** A push as a lock screen shows it. */
import type { Activity, Push } from "../src/Model.js"
import { html, Pure } from "./dom.js"
import type { View } from "./dom.js"
import { ago, clock, hue, initials, kind, outcome, plural, short } from "./format.js"

export const icon = (push: Pick<Push, "app" | "topic">, small = false): View =>
  html`<span class="icon ${small ? "small" : ""} ${hue(push.topic ?? push.app)}" aria-hidden="true">${
    initials(push.app)
  }</span>`

export const verdict = (push: Push): View =>
  push.outcome === "accepted"
    ? null
    : html`<span class="verdict ${push.outcome}">${outcome(push)}</span>`

const findings = (push: Push): View =>
  push.errors > 0
    ? html`<span class="tag error">${plural(push.errors, "error")}</span>`
    : push.warnings > 0
    ? html`<span class="tag warning">${plural(push.warnings, "warning")}</span>`
    : null

export const marks = (push: Push): View =>
  html`<span class="marks">
    ${verdict(push)}
    ${findings(push)}
    ${push.broadcast ? html`<span class="tag">Broadcast</span>` : null}
    ${
    push.badge === undefined
      ? null
      : html`<span class="tag"><span class="badge">${String(push.badge)}</span> badge</span>`
  }
    ${push.sound === undefined ? null : html`<span class="tag">♪ ${push.sound}</span>`}
    ${push.threadId === undefined ? null : html`<span class="tag">thread ${push.threadId}</span>`}
    ${push.collapseId === undefined ? null : html`<span class="tag">collapse ${push.collapseId}</span>`}
    ${push.replaces === undefined ? null : html`<span class="tag">replaces #${String(push.replaces)}</span>`}
    ${push.replacedBy === undefined ? null : html`<span class="tag">replaced by #${String(push.replacedBy)}</span>`}
    ${
    push.unresolved.length === 0
      ? null
      : html`<span class="tag" title="No strings file has these keys">localized</span>`
  }
  </span>`

const words = (push: Push): View =>
  html`<span class="words">
    ${push.title === undefined ? null : html`<span class="title" dir="auto">${push.title}</span>`}
    ${push.subtitle === undefined ? null : html`<span class="subtitle" dir="auto">${push.subtitle}</span>`}
    ${push.body === undefined ? null : html`<span class="body" dir="auto">${push.body}</span>`}
    ${
    push.title === undefined && push.subtitle === undefined && push.body === undefined
      ? html`<span class="body none">${silent(push)}</span>`
      : null
  }
  </span>`

const silent = (push: Push): string =>
  push.outcome === "lost"
    ? "Its body was not read."
    : push.badge !== undefined
    ? `Sets the badge to ${push.badge}.`
    : push.sound !== undefined
    ? "Plays a sound."
    : "Nothing to show."

const events: Readonly<Record<string, string>> = { start: "Started", update: "Updated", end: "Ended" }

export const changes = (activity: Activity, most = Infinity): View => {
  const { changes: changed, state } = activity
  const rows = changed.length > 0 ? changed : state.map(({ path, value }) => ({ path, from: value, to: value }))
  return html`<span class="changes">
    ${
    rows.slice(0, most).map(({ from, path, to }) =>
      html`<span class="change" key=${path}>
        <span class="path">${path}</span>
        <span class="value">
          ${
        from === undefined || from === to
          ? null
          : html`<s>${from}</s><span class="sr"> is now </span><span aria-hidden="true">→</span>`
      }
          ${to === undefined ? html`<em>gone</em>` : html`<b>${to}</b>`}
        </span>
      </span>`
    )
  }
    ${
    rows.length > most
      ? html`<span class="change"><span class="path">and ${String(rows.length - most)} more</span></span>`
      : null
  }
    ${rows.length === 0 ? html`<span class="change"><span class="path">no state</span></span>` : null}
  </span>`
}

const activity = (push: Push, when: string): View => {
  const { activity: shown } = push
  return html`
    <span class="top">
      ${icon(push, true)}
      <span class="app">${push.app}</span>
      <span class="event">${events[shown?.event ?? ""] ?? shown?.event ?? "Live Activity"}</span>
      <span class="when">${when}</span>
    </span>
    <span class="kind">${kind(push)}${
    shown?.attributesType === undefined ? null : html` · <span class="mono">${shown.attributesType}</span>`
  }</span>
    ${push.title === undefined && push.body === undefined ? null : words(push)}
    ${shown === undefined ? null : changes(shown, 5)}`
}

const call = (push: Push, when: string): View =>
  html`
    ${icon(push)}
    <span class="main">
      <span class="top"><span class="app">${push.app}</span><span class="when">${when}</span></span>
      ${words(push)}
    </span>
    <span class="buttons" aria-hidden="true"><span class="decline">✕</span><span class="accept">✓</span></span>`

const talk = (push: Push, when: string): View =>
  html`
    ${icon(push)}
    <span class="main">
      <span class="top">
        <span class="app">${push.app}</span>
        <span class="level passive">${kind(push)}</span>
        <span class="when">${when}</span>
      </span>
      ${words(push)}
    </span>
    <span class="speaking" aria-hidden="true"><i></i><i></i><i></i><i></i><i></i></span>`

const notification = (push: Push, when: string): View =>
  html`
    ${icon(push)}
    <span class="main">
      <span class="top">
        <span class="app">${push.app}</span>
        ${push.critical ? html`<span class="level critical">Critical</span>` : null}
        ${push.level === "time-sensitive" ? html`<span class="level">Time Sensitive</span>` : null}
        ${push.level === "passive" ? html`<span class="level passive">Passive</span>` : null}
        ${push.kind === "alert" ? null : html`<span class="level passive">${kind(push)}</span>`}
        <span class="when">${when}</span>
      </span>
      ${words(push)}
      ${marks(push)}
    </span>`

const quiet = (push: Push, when: string): View =>
  html`
    <span class="dot" aria-hidden="true"></span>
    <span class="line"><b>${push.kind === "channel" ? "Channel" : "Background"}</b> ${push.app}${
    push.title === undefined ? null : html` · <span dir="auto">${push.title}</span>`
  }${push.body === undefined ? null : html` · <span class="mono" dir="auto">${push.body}</span>`}</span>
    ${verdict(push)}
    ${findings(push)}
    <span class="when">${when}</span>`

const shapeOf = (push: Push): "activity" | "call" | "talk" | "quiet" | "plain" =>
  push.kind === "liveactivity"
    ? "activity"
    : push.kind === "voip"
    ? "call"
    : push.kind === "pushtotalk"
    ? "talk"
    : push.kind === "background" || push.kind === "channel"
    ? "quiet"
    : "plain"

export interface CardProps {
  readonly push: Push
  readonly href: string
  readonly selected: boolean
  readonly when: string
}

export class Card extends Pure<CardProps> {
  override render(): View {
    const { href, push, selected, when } = this.props
    const shape = shapeOf(push)
    const draw = { activity, call, talk, quiet, plain: notification }[shape]
    return html`<a
      class="card ${shape} ${push.outcome} ${push.critical ? "is-critical" : ""} ${
      push.level === "time-sensitive" ? "is-urgent" : ""
    } ${push.replacedBy === undefined ? "" : "is-replaced"}"
      href=${href}
      data-id=${String(push.id)}
      aria-current=${selected ? "true" : null}
      title=${clock(push.time)}
    >
      ${draw(push, when)}
      ${shape === "activity" || shape === "call" || shape === "talk" ? marks(push) : null}
    </a>`
  }
}

export const when = (push: Push, now: number): string => ago(push.time, now)

export const addressee = (push: Push): string =>
  push.token !== undefined
    ? short(push.token)
    : push.channelId !== undefined
    ? `channel ${short(push.channelId)}`
    : push.path
