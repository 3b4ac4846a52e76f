/** Everything about one push. */
import { useState } from "preact/hooks"
import type { Filter, Finding, Push, PushDetail } from "../src/Model.js"
import { addressee, changes, icon, verdict, when } from "./card.js"
import { copy, html } from "./dom.js"
import type { View } from "./dom.js"
import { clock, count, day, highlight, kind, outcome, plural, span } from "./format.js"
import * as state from "./state.js"

const CopyButton = ({ label, text }: { readonly label: string; readonly text: () => string }): View => {
  const [done, setDone] = useState(false)
  return html`<button
    type="button"
    class="button small"
    onClick=${() => {
    void copy(text()).then((copied) => {
      setDone(copied)
      state.set({ notice: copied ? "Copied." : "The browser does not let the page copy." })
      setTimeout(() => setDone(false), 1500)
    })
  }}
  >${done ? "Copied" : label}</button>`
}

const severities = { error: "Error", warning: "Warning", info: "Worth knowing" } as const

const FindingView = ({ finding }: { readonly finding: Finding }): View =>
  html`<li class="finding ${finding.severity}">
    <p class="what"><span class="mark" aria-hidden="true"></span><span class="sr">${
    severities[finding.severity]
  }: </span>${finding.what}</p>
    <p class="why">${finding.why}</p>
    <p class="source"><code>${finding.key}</code> <a href=${finding.url} target="_blank" rel="noopener noreferrer">Apple: ${finding.page}</a></p>
  </li>`

const wrong = (findings: ReadonlyArray<Finding>, push: PushDetail): View =>
  html`<section class="block" aria-labelledby="wrong">
    <h3 id="wrong">What is wrong</h3>
    ${
    findings.length === 0
      ? html`<p class="fine">${
        push.outcome === "lost"
          ? "It was lost before its body was read: there is nothing to judge."
          : "Nothing that Apple's pages know of."
      }</p>`
      : html`<ul class="findings">${
        findings.map((finding, i) => html`<${FindingView} key=${String(i)} finding=${finding} />`)
      }</ul>`
  }
  </section>`

/** Characters that cannot be seen, or that turn the direction of the text around them, in the escapes of JSON. */
const escaped = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const pretty = (push: PushDetail): string =>
  push.payload === undefined ? push.text : escaped(JSON.stringify(push.payload, undefined, 2))

const meter = (push: PushDetail): View => {
  const share = push.size / push.limit
  return html`<p class="size">
    <meter min="0" max=${String(push.limit)} low=${String(push.limit * 0.9)} high=${
    String(push.limit)
  } optimum="0" value=${
    String(Math.min(push.size, push.limit))
  } aria-label="Size of the body against its limit"></meter>
    <span class=${share > 1 ? "over" : share >= 0.9 ? "near" : ""}>${count(push.size)} of ${
    count(push.limit)
  } bytes</span>
  </p>`
}

const maxHighlighted = 20_000

const code = (text: string): View =>
  html`<pre class="code" tabindex="0" aria-label="Payload">${
    text.length > maxHighlighted
      ? text
      : highlight(text).map(({ text, type }) =>
        type === "mark" ? text : html`<span class=${`t-${type}`}>${text}</span>`
      )
  }</pre>`

const payload = (push: PushDetail): View =>
  html`<section class="block" aria-labelledby="payload">
    <h3 id="payload">Payload</h3>
    <div class="row">${meter(push)}<${CopyButton} label="Copy" text=${() => pretty(push)} /></div>
    ${
    push.size === 0
      ? html`<p class="fine">There is no body.</p>`
      : html`${push.payload === undefined ? html`<p class="fine">The body is not JSON.</p>` : null}${
        code(pretty(push))
      }`
  }
  </section>`

const display = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? String(value)

const table = (rows: ReadonlyArray<readonly [string, View | string | undefined]>): View =>
  rows.every(([, value]) => value === undefined) ?
    null :
    html`<dl class="facts">${
      rows.filter(([, value]) => value !== undefined).map(([name, value]) =>
        html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`
      )
    }</dl>`

const jwt = (push: PushDetail): View => {
  const { jwt: token } = push
  if (token === undefined) return null
  const old = token.age === undefined ? undefined : token.age > 3600 || token.age < -60
  return html`<section class="block" aria-labelledby="token">
    <h3 id="token">Provider token</h3>
    ${token.problem === undefined ? null : html`<p class="fine">${token.problem}</p>`}
    ${
    table([
      ...Object.entries(token.header).map(([name, value]) => [name, display(value)] as const),
      ...Object.entries(token.claims).map(([name, value]) => [name, display(value)] as const),
      [
        "age",
        token.age === undefined
          ? undefined
          : html`<span class=${old === true ? "over" : ""}>${
            token.age < 0 ? `${span(token.age)} in the future` : span(token.age)
          }${token.age > 3600 ? ", APNs takes at most an hour" : ""}</span>`
      ]
    ])
  }
    <p class="fine">The signature is not shown and not kept in what the inbox tells.</p>
  </section>`
}

const about = (push: PushDetail): View => {
  const { connection, timing } = push
  return html`<section class="block" aria-labelledby="about">
    <h3 id="about">Connection and timing</h3>
    ${
    table([
      ["arrived", html`<time datetime=${day(timing.arrived)}>${clock(timing.arrived)}</time>`],
      [
        "processed",
        timing.processed === undefined
          ? "not processed"
          : `${clock(timing.processed)}, ${count(timing.took ?? 0)} ms later`
      ],
      ["answer", outcome(push)],
      ["told to", push.told],
      ["apns-id", push.apnsId === "" ? undefined : push.apnsId],
      ["connection", `${connection.id}, stream ${connection.streamId}`],
      ["TLS", connection.tls],
      ["server name", connection.serverName],
      ["certificate", connection.clientCertificate],
      ["opened", connection.openedAt === undefined ? undefined : clock(connection.openedAt)],
      ["requests", connection.requests === undefined ? undefined : `${count(connection.requests)} on this connection`]
    ])
  }
  </section>`
}

const headers = (push: PushDetail): View =>
  html`<section class="block" aria-labelledby="headers">
    <h3 id="headers">Headers</h3>
    ${table(push.headers.map(({ name, value }) => [name, value] as const))}
  </section>`

const activity = (push: PushDetail): View => {
  const { activity: shown } = push
  if (shown === undefined) return null
  return html`<section class="block" aria-labelledby="activity">
    <h3 id="activity">Live Activity</h3>
    <p class="fine">${
    shown.changes.length === 0 ? "Its state did not change" : plural(shown.changes.length, "change")
  }${
    shown.previous === undefined
      ? "; the push before is not here."
      : html` against <a href=${state.href({ view: "push", id: shown.previous })}>push ${String(shown.previous)}</a>.`
  }</p>
    ${changes(shown)}
    ${
    table([
      ["stale", shown.staleDate === undefined ? undefined : safeDay(shown.staleDate)],
      ["dismissed", shown.dismissalDate === undefined ? undefined : safeDay(shown.dismissalDate)]
    ])
  }
  </section>`
}

/** A date from a payload may be none. */
const safeDay = (seconds: number): string => {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString()
}

const events: Readonly<Record<string, string>> = { start: "started", update: "updated", end: "ended" }

const heading = (push: Push): string => {
  const { activity: shown } = push
  return push.title ?? push.body ??
    (shown === undefined
      ? kind(push)
      : `${shown.attributesType ?? "Live Activity"} ${events[shown.event] ?? shown.event}`)
}

const linkTo = (push: Push): string => `${location.origin}/${state.href({ view: "push", id: push.id }, {})}`

const isPriority = (input: number | undefined): input is 1 | 5 | 10 => input === 1 || input === 5 || input === 10

const resend = (push: PushDetail): void => {
  const { payload } = push
  state.set({
    draft: {
      pushType: push.broadcast ? "broadcast" : push.pushType ?? "alert",
      ...(push.broadcast
        ? push.channelId === undefined ? {} : { token: push.channelId }
        : push.token === undefined
        ? {}
        : { token: push.token }),
      ...(push.topic === undefined ? {} : { topic: push.topic }),
      ...(push.collapseId === undefined ? {} : { collapseId: push.collapseId }),
      ...(isPriority(push.priority) ? { priority: push.priority } : {}),
      payload: typeof payload === "object" && payload !== null && !Array.isArray(payload) ? { ...payload } : {}
    }
  })
  state.go({ view: "send" })
}

const answerToken = (push: Push): void => {
  const token = push.token ?? push.channelId
  state.set({ answerDraft: token === undefined ? {} : { token } })
  state.go({ view: "answers" })
}

const only = (filter: Filter, label: View): View =>
  html`<a href=${state.href({ view: "list" }, filter)} title="Show only these">${label}</a>`

const facts = (push: Push): View =>
  table([
    [
      "to",
      only(
        { token: push.token ?? push.channelId },
        html`<span class="mono" title=${push.token ?? push.channelId ?? ""}>${addressee(push)}</span>`
      )
    ],
    ["topic", push.topic === undefined ? undefined : only({ topic: push.topic }, push.topic)],
    ["push type", push.pushType ?? "none"],
    ["priority", push.priority === undefined ? "none, taken for 10" : String(push.priority)],
    ["level", push.level],
    ["badge", push.badge === undefined ? undefined : String(push.badge)],
    ["sound", push.sound === undefined ? undefined : `${push.sound}${push.critical ? ", critical" : ""}`],
    ["category", push.category],
    ["thread", push.threadId],
    ["collapse id", push.collapseId === undefined ? undefined : only({ collapseId: push.collapseId }, push.collapseId)],
    [
      "replaces",
      push.replaces === undefined
        ? undefined
        : html`<a href=${state.href({ view: "push", id: push.replaces })}>push ${String(push.replaces)}</a>`
    ],
    [
      "replaced by",
      push.replacedBy === undefined
        ? undefined
        : html`<a href=${state.href({ view: "push", id: push.replacedBy })}>push ${String(push.replacedBy)}</a>`
    ],
    ["localized", push.unresolved.length === 0 ? undefined : `no string for ${push.unresolved.join(", ")}`]
  ])

/** What the list knows already is shown at once; the rest comes from the server. */
export const Detail = ({ detail, missing, now, push }: {
  readonly push: Push | undefined
  readonly detail: PushDetail | undefined
  readonly missing: boolean
  readonly now: number
}): View =>
  push === undefined || missing
    ? html`<div class="hint"><p>${
      missing ? "There is no such push here: it never came, was cleared, or is not kept any more." : "Loading…"
    }</p></div>`
    : html`<article class="push" aria-label=${`Push ${push.id}`} aria-busy=${detail === undefined ? "true" : null}>
      <header class="head">
        ${icon(push)}
        <div class="heading">
          <h2 dir="auto">${heading(push)}</h2>
          <p class="fine"><span>${kind(push)}</span> · <span>${push.app}</span> · <time datetime=${day(push.time)}>${
      when(push, now)
    }</time> · <span class="mono">#${String(push.id)}</span></p>
        </div>
        ${push.outcome === "accepted" ? html`<span class="verdict accepted">${outcome(push)}</span>` : verdict(push)}
      </header>
      ${
      push.subtitle === undefined && (push.title === undefined || push.body === undefined)
        ? null
        : html`<p class="said" dir="auto">${
          [push.subtitle, push.title === undefined ? undefined : push.body].filter((part) => part !== undefined).join(
            "\n"
          )
        }</p>`
    }
      <div class="actions">
        <${CopyButton} label="Copy link" text=${() => linkTo(push)} />
        ${
      detail === undefined
        ? null
        : html`<button type="button" class="button small" onClick=${() => resend(detail)}>Send again…</button>`
    }
        <button type="button" class="button small" onClick=${() => answerToken(push)}>Answer this ${
      push.broadcast ? "channel" : "token"
    }…</button>
      </div>
      ${detail !== undefined && detail.findings.length > 0 ? wrong(detail.findings, detail) : null}
      ${facts(push)}
      ${
      detail === undefined ? null : html`
        ${detail.findings.length > 0 ? null : wrong(detail.findings, detail)}
        ${activity(detail)}
        ${payload(detail)}
        ${headers(detail)}
        ${jwt(detail)}
        ${about(detail)}`
    }
    </article>`
