/** The forms: how to answer, and what to send; and the page before anything has arrived. */
import { useState } from "preact/hooks"
import type { AnswerOptions, Fault, Info, Sent } from "../src/Model.js"
import { copy, html } from "./dom.js"
import type { View } from "./dom.js"
import { plural, short } from "./format.js"
import * as state from "./state.js"

const value = (event: Event): string => {
  const { target } = event
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement ||
      target instanceof HTMLTextAreaElement
    ? target.value
    : ""
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

// ------------------------------------------------------------------------------------------------------------- answers

const faults: ReadonlyArray<readonly [Fault, string]> = [
  ["goaway", "GOAWAY, push not processed"],
  ["goaway-after", "GOAWAY, push processed and answered"],
  ["refuse", "Stream refused, push not processed"],
  ["reset", "Stream reset, push processed"],
  ["drop", "Connection dropped, push not processed"],
  ["drop-after", "Connection dropped, push processed"],
  ["black-hole", "Black hole: read and never answered"]
]

const describe = ({ delay, fault, reason, retryAfter, status }: AnswerOptions): string =>
  [
    reason === undefined ? undefined : `${status === undefined ? "" : `${status} `}${reason}`,
    fault === undefined ? undefined : faults.find(([name]) => name === fault)?.[1] ?? fault,
    retryAfter === undefined ? undefined : `Retry-After ${retryAfter} s`,
    delay === undefined || delay === 0 ? undefined : `${delay} ms later`
  ].filter((part) => part !== undefined).join(", ")

const scope = ({ pushType, token, topic }: AnswerOptions): string =>
  [
    token === undefined ? undefined : `token ${short(token)}`,
    topic === undefined ? undefined : `topic ${topic}`,
    pushType === undefined ? undefined : `type ${pushType}`
  ].filter((part) => part !== undefined).join(", ") || "any push"

type Scope = "any" | "token" | "topic"

export const AnswersPanel = ({ current }: { readonly current: state.State }): View => {
  const { answerDraft, answers, info } = current
  const [who, setWho] = useState<Scope>(
    answerDraft?.token !== undefined ? "token" : answerDraft?.topic !== undefined ? "topic" : "any"
  )
  const [target, setTarget] = useState(answerDraft?.token ?? answerDraft?.topic ?? "")
  const [what, setWhat] = useState("reason:Unregistered")
  const [times, setTimes] = useState("1")
  const [retryAfter, setRetryAfter] = useState("")
  const [since, setSince] = useState("")
  const [delay, setDelay] = useState("")
  const [problem, setProblem] = useState("")
  const reason = what.startsWith("reason:") ? what.slice(7) : undefined
  const dead = reason === "Unregistered" || reason === "ExpiredToken"
  const submit = (event: Event): void => {
    event.preventDefault()
    const fault = what.startsWith("fault:") ? faults.find(([name]) => name === what.slice(6))?.[0] : undefined
    const options: AnswerOptions = {
      ...(who === "token" ? { token: target.trim() } : who === "topic" ? { topic: target.trim() } : {}),
      ...(times === "" ? {} : { times: Number(times) }),
      ...(reason === undefined ? {} : { reason }),
      ...(fault === undefined ? {} : { fault }),
      ...(retryAfter === "" || reason === undefined ? {} : { retryAfter: Number(retryAfter) }),
      ...(since === "" || !dead ? {} : { timestamp: new Date(since).getTime() }),
      ...(delay === "" ? {} : { delay: Number(delay) })
    }
    state.answer(options).then(
      () => {
        setProblem("")
        state.set({ notice: "The answer is in force." })
      },
      (error: unknown) => setProblem(messageOf(error))
    )
  }
  return html`<div class="panel">
    <h2>Answers</h2>
    <p class="lead">Say how the next pushes are answered, and see what your server does: when a device is gone, when APNs is busy, when the network breaks. Without an answer in force the inbox does as APNs does.</p>
    <form class="form" onSubmit=${submit}>
      <label>Answer
        <select value=${what} onChange=${(event: Event) => setWhat(value(event))}>
          <optgroup label="With a reason">
            ${
    (info?.reasons ?? []).map(({ reason, status }) =>
      html`<option value=${`reason:${reason}`} key=${reason}>${String(status)} ${reason}</option>`
    )
  }
          </optgroup>
          <optgroup label="With a fault">
            ${faults.map(([name, label]) => html`<option value=${`fault:${name}`} key=${name}>${label}</option>`)}
          </optgroup>
          <optgroup label="As usual">
            <option value="delay">Only later</option>
          </optgroup>
        </select>
      </label>
      <label>To
        <select value=${who} onChange=${(event: Event) => {
    const chosen = value(event)
    setWho(chosen === "token" || chosen === "topic" ? chosen : "any")
  }}>
          <option value="any">any push</option>
          <option value="token">a device token or channel</option>
          <option value="topic">a topic or bundle ID</option>
        </select>
      </label>
      ${
    who === "any" ?
      null :
      html`<label class="wide">${who === "token" ? "Device token or channel id" : "Topic or bundle ID"}
        <input class="mono" required spellcheck="false" autocomplete="off" value=${target} onInput=${(event: Event) =>
        setTarget(value(event))} />
      </label>`
  }
      <label>How many pushes <small>(empty: all)</small>
        <input type="number" min="1" step="1" value=${times} onInput=${(event: Event) => setTimes(value(event))} />
      </label>
      <label>Delay <small>(milliseconds)</small>
        <input type="number" min="0" max="3600000" step="1" required=${what === "delay"} value=${delay} onInput=${(
    event: Event
  ) => setDelay(value(event))} />
      </label>
      ${
    reason === undefined ? null : html`<label>Retry-After <small>(seconds)</small>
        <input type="number" min="0" step="1" value=${retryAfter} onInput=${(event: Event) =>
      setRetryAfter(value(event))} />
      </label>`
  }
      ${
    !dead ? null : html`<label>Dead since <small>(empty: now)</small>
        <input type="datetime-local" step="1" value=${since} onInput=${(event: Event) => setSince(value(event))} />
      </label>`
  }
      <div class="wide submit">
        <button class="button primary">Answer so</button>
        ${problem === "" ? null : html`<p class="problem" role="alert">${problem}</p>`}
      </div>
    </form>
    <h3>In force</h3>
    ${
    answers.length === 0 ? html`<p class="fine">None: pushes are answered as APNs does.</p>` : html`<ul class="rules">
      ${
      answers.map(({ id, options, used }) =>
        html`<li key=${String(id)}>
        <span class="rule"><b>${describe(options)}</b> <span>to ${scope(options)}, ${
          options.times === undefined ? "always" : `${plural(options.times - used, "more time", "more times")}`
        }</span></span>
        <button type="button" class="button small" aria-label=${`End the answer ${describe(options)} to ${
          scope(options)
        }`} onClick=${() => state.removeAnswer(id)}>End</button>
      </li>`
      )
    }
    </ul>
    ${
      answers.length > 1
        ? html`<button type="button" class="button small" onClick=${state.resetAnswers}>End all</button>`
        : null
    }`
  }
  </div>`
}

// ---------------------------------------------------------------------------------------------------------------- send

const sampleToken = "0123456789abcdef".repeat(4)

const seconds = (): number => Math.floor(Date.now() / 1000)

const templates: Readonly<Record<string, () => unknown>> = {
  alert: () => ({
    aps: {
      alert: { title: "Lunch", subtitle: "Today at noon", body: "Jenna invites you to lunch." },
      badge: 1,
      sound: "default"
    }
  }),
  background: () => ({ aps: { "content-available": 1 }, refresh: "feed" }),
  liveactivity: () => ({
    aps: { event: "update", timestamp: seconds(), "content-state": { home: 1, away: 0, minute: 23 } }
  }),
  broadcast: () => ({
    aps: { event: "update", timestamp: seconds(), "content-state": { home: 1, away: 0, minute: 23 } }
  }),
  voip: () => ({ callerName: "Jenna Ortiz", callId: "7f1c0e0a" }),
  pushtotalk: () => ({ activeSpeaker: "Jenna Ortiz" }),
  complication: () => ({ steps: 8421 }),
  widgets: () => ({ aps: { "content-changed": true } }),
  controls: () => ({ aps: { "content-changed": true } }),
  fileprovider: () => ({
    "container-identifier": "NSFileProviderWorkingSetContainerItemIdentifier",
    domain: "documents"
  }),
  location: () => ({ reason: "find my device" }),
  mdm: () => ({ mdm: "PUSH-MAGIC" })
}

const pushTypes = Object.keys(templates)

const usual: Readonly<Record<string, string>> = { background: "5", broadcast: "10" }

const write = (payload: unknown): string => JSON.stringify(payload, undefined, 2)

type Words = "title" | "subtitle" | "body"

const isObject = (input: unknown): input is Record<string, unknown> =>
  typeof input === "object" && input !== null && !Array.isArray(input)

const parsed = (text: string): Record<string, unknown> | string => {
  try {
    const read: unknown = JSON.parse(text)
    return isObject(read) ? read : "The payload must be a JSON dictionary."
  } catch (error) {
    return `The payload is not JSON: ${messageOf(error)}`
  }
}

/** The payload with one of its words changed; as it was where it cannot be read. */
const withWord = (text: string, name: Words, word: string): string => {
  const payload = parsed(text)
  if (typeof payload === "string") return text
  const aps = isObject(payload["aps"]) ? payload["aps"] : {}
  const alert = isObject(aps["alert"]) ? aps["alert"] : typeof aps["alert"] === "string" ? { body: aps["alert"] } : {}
  const { [name]: _, ...others } = alert
  return write({ ...payload, aps: { ...aps, alert: word === "" ? others : { ...alert, [name]: word } } })
}

const wordOf = (text: string, name: Words): string => {
  const payload = parsed(text)
  if (typeof payload === "string") return ""
  const aps = payload["aps"]
  const alert = isObject(aps) ? aps["alert"] : undefined
  const word = isObject(alert) ? alert[name] : name === "body" ? alert : undefined
  return typeof word === "string" ? word : ""
}

const wordNames: ReadonlyArray<readonly [Words, string]> = [["title", "Title"], ["subtitle", "Subtitle"], [
  "body",
  "Body"
]]

const report = (sent: Sent): View =>
  html`<div class="result ${sent.outcome}" role="status">
    <p><b>${sent.outcome === "accepted" ? "Accepted" : sent.error ?? "Failed"}</b>${
    sent.attempts === undefined ? null : html` after ${plural(sent.attempts, "attempt")}`
  }</p>
    ${sent.message === undefined ? null : html`<p>${sent.message}</p>`}
    ${sent.outcome !== "failed" ? null : html`<p>Processed by APNs: ${sent.processed ?? "unknown"}.</p>`}
    ${sent.apnsId === undefined || sent.apnsId === "" ? null : html`<p class="mono">${sent.apnsId}</p>`}
  </div>`

export const SendPanel = ({ current }: { readonly current: state.State }): View => {
  const { draft, info } = current
  const [to, setTo] = useState<"inbox" | "sandbox">("inbox")
  const [pushType, setPushType] = useState(draft?.pushType ?? "alert")
  const [token, setToken] = useState(draft?.token ?? sampleToken)
  const [typedTopic, setTopic] = useState(draft?.topic)
  // what the inbox proposes may come after the form is drawn
  const topic = typedTopic ?? info?.topic ?? "com.example.app"
  const [payload, setPayload] = useState(
    draft?.payload === undefined ? write(templates[pushType]?.() ?? {}) : write(draft.payload)
  )
  const [priority, setPriority] = useState(
    draft?.priority === undefined ? usual[pushType] ?? "" : String(draft.priority)
  )
  const [expiration, setExpiration] = useState("")
  const [collapseId, setCollapseId] = useState(draft?.collapseId ?? "")
  const [sent, setSent] = useState<Sent | undefined>(undefined)
  const [problem, setProblem] = useState("")
  const [busy, setBusy] = useState(false)
  const broadcast = pushType === "broadcast"
  const choose = (event: Event): void => {
    const chosen = value(event)
    setPushType(chosen)
    setPayload(write(templates[chosen]?.() ?? {}))
    setPriority(usual[chosen] ?? "")
    if (chosen === "broadcast") setToken("")
    else if (broadcast) setToken(sampleToken)
  }
  const submit = (event: Event): void => {
    event.preventDefault()
    const body = parsed(payload)
    if (typeof body === "string") return setProblem(body)
    setBusy(true)
    setProblem("")
    state.send({
      to,
      pushType,
      token: token.trim(),
      topic: topic.trim(),
      payload: body,
      ...(priority === "10"
        ? { priority: 10 }
        : priority === "5"
        ? { priority: 5 }
        : priority === "1"
        ? { priority: 1 }
        : {}),
      ...(expiration === "" ? {} : { expiration: expiration === "0" ? 0 : seconds() + Number(expiration) }),
      ...(collapseId === "" || broadcast ? {} : { collapseId })
    }).then(setSent, (error: unknown) => setProblem(messageOf(error))).finally(() => setBusy(false))
  }
  const speaks = pushType === "alert" || pushType === "liveactivity"
  return html`<div class="panel">
    <h2>Send a push</h2>
    <p class="lead">It goes through the library, as your own pushes do${
    info?.sandbox === true ? "" : ", to this inbox"
  }.</p>
    <form class="form" onSubmit=${submit}>
      ${
    info?.sandbox === true
      ? html`<label>To
          <select value=${to} onChange=${(event: Event) => setTo(value(event) === "sandbox" ? "sandbox" : "inbox")}>
            <option value="inbox">this inbox</option>
            <option value="sandbox">Apple's sandbox</option>
          </select>
        </label>`
      : null
  }
      <label>Push type
        <select value=${pushType} onChange=${choose}>${
    pushTypes.map((name) => html`<option value=${name} key=${name}>${name}</option>`)
  }</select>
      </label>
      <label>Bundle ID
        <input class="mono" required spellcheck="false" autocomplete="off" value=${topic} onInput=${(event: Event) =>
    setTopic(value(event))} />
      </label>
      <label class="wide">${broadcast ? html`Channel id <small>(empty: a new channel)</small>` : "Device token"}
        <input class="mono" required=${!broadcast} spellcheck="false" autocomplete="off" value=${token} onInput=${(
    event: Event
  ) => setToken(value(event))} />
      </label>
      ${
    pushType !== "alert" ?
      null :
      wordNames.map(([name, label]) =>
        html`<label class=${name === "body" ? "wide" : ""} key=${name}>${label}
          <input value=${wordOf(payload, name)} onInput=${(event: Event) =>
          setPayload(withWord(payload, name, value(event)))} />
        </label>`
      )
  }
      <label class="wide">Payload
        <textarea class="mono" rows=${speaks ? "13" : "7"} spellcheck="false" value=${payload} onInput=${(
    event: Event
  ) => setPayload(value(event))}></textarea>
      </label>
      <label>Priority
        <select value=${priority} onChange=${(event: Event) => setPriority(value(event))}>
          <option value="">the usual one</option><option value="10">10, at once</option><option value="5">5, saves power</option><option value="1">1, never wakes</option>
        </select>
      </label>
      <label>Expires in <small>(seconds)</small>
        <input type="number" min="0" step="1" placeholder="as APNs sees fit" value=${expiration} onInput=${(
    event: Event
  ) => setExpiration(value(event))} />
      </label>
      ${
    broadcast ? null : html`<label>Collapse id
        <input class="mono" maxlength="64" spellcheck="false" autocomplete="off" value=${collapseId} onInput=${(
      event: Event
    ) => setCollapseId(value(event))} />
      </label>`
  }
      <div class="wide submit">
        <button class="button primary" disabled=${busy}>${busy ? "Sending…" : "Send"}</button>
        ${problem === "" ? null : html`<p class="problem" role="alert">${problem}</p>`}
      </div>
    </form>
    ${sent === undefined ? null : report(sent)}
  </div>`
}

// --------------------------------------------------------------------------------------------------------------- empty

const quote = (text: string): string => /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

const exportsOf = (info: Info): string =>
  Object.entries(info.variables).map(([name, text]) => `export ${name}=${quote(text)}`).join("\n")

const Command = ({ label, text }: { readonly label: string; readonly text: string }): View => {
  const [done, setDone] = useState(false)
  return html`<div class="command">
    <div class="row"><span>${label}</span><button type="button" class="button small" aria-label=${`Copy: ${label}`} onClick=${() => {
    void copy(text).then((copied) => {
      setDone(copied)
      setTimeout(() => setDone(false), 1500)
    })
  }}>${done ? "Copied" : "Copy"}</button></div>
    <pre tabindex="0" aria-label=${label}>${text}</pre>
  </div>`
}

export const Empty = ({ info }: { readonly info: Info | undefined }): View =>
  html`<div class="empty">
    <h2>Nothing has arrived yet</h2>
    <p>This inbox is an APNs of your own, on this machine. Point your server at it and every push shows up here.</p>
    ${
    info === undefined ? null : html`<ol>
      <li><p>In the terminal of your server, export where it is:</p><${Command} label="Variables to export" text=${
      exportsOf(info)
    } /></li>
      <li><p>Start your server there, or send a push by hand:</p><${Command} label="A push to send" text=${`apns send ${sampleToken} --title Hello --body World`} /></li>
    </ol>
    <p>Or <a class="button primary" href=${state.href({ view: "send" })}>send one from here</a></p>`
  }
  </div>`

const keys: ReadonlyArray<readonly [string, string]> = [
  ["/", "search"],
  ["j or ↓", "next push"],
  ["k or ↑", "push before"],
  ["Enter", "open it"],
  ["Esc", "back to the list"],
  ["s", "send a push"],
  ["a", "answers and faults"],
  ["t", "light or dark"],
  ["?", "this help"]
]

/** The same function each time, so that it is called when the help opens and not whenever a push is drawn. */
const focusOnce = (button: HTMLElement | null): void => button?.focus()

export const Help = ({ close }: { readonly close: () => void }): View =>
  html`<div class="veil" onClick=${close}>
    <div class="help" role="dialog" aria-modal="true" aria-labelledby="help" onClick=${(event: Event) =>
    event.stopPropagation()}>
      <h2 id="help">Keys</h2>
      <dl>${keys.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
      <p class="fine">For programs there is an API: <a href="/docs">read about it</a>, or take <a href="/openapi.json">its OpenAPI document</a>.</p>
      <button type="button" class="button" ref=${focusOnce} onClick=${close}>Close</button>
    </div>
  </div>`
