/** The page: bar, list and pane, and the keys. */
import { render } from "preact"
import type { Outcome, Push } from "../src/Model.js"
import { Card, when } from "./card.js"
import { Detail } from "./detail.js"
import { html, Pure } from "./dom.js"
import type { View } from "./dom.js"
import { count, plural, sentence } from "./format.js"
import { AnswersPanel, Empty, Help, SendPanel } from "./panels.js"
import * as state from "./state.js"
import type { Place, State } from "./state.js"

// --------------------------------------------------------------------------------------------------------------- theme

const themeKey = "inbox-theme"

const stored = (): string | null => {
  try {
    return localStorage.getItem(themeKey)
  } catch {
    return null
  }
}

const isDark = (): boolean =>
  document.documentElement.dataset["theme"] === "dark" ||
  document.documentElement.dataset["theme"] === undefined && matchMedia("(prefers-color-scheme: dark)").matches

const toggleTheme = (): void => {
  const next = isDark() ? "light" : "dark"
  document.documentElement.dataset["theme"] = next
  try {
    localStorage.setItem(themeKey, next)
  } catch {
    // a browser that keeps nothing forgets it
  }
}

const remembered = stored()
if (remembered === "dark" || remembered === "light") document.documentElement.dataset["theme"] = remembered

// ----------------------------------------------------------------------------------------------------------------- bar

let typing: ReturnType<typeof setTimeout> | undefined

const isWide = (): boolean => matchMedia("(min-width: 900px)").matches

/** Where to see what is searched for: a narrow page shows either the list or what is beside it. */
const listed = (place: Place): Place => isWide() ? place : { view: "list" }

const search = (event: Event): void => {
  const { target } = event
  if (!(target instanceof HTMLInputElement)) return
  const text = target.value
  clearTimeout(typing)
  typing = setTimeout(() => {
    const { filter: before, place } = state.get()
    const filter = { ...before, text: text === "" ? undefined : text }
    // what is typed is one step of the history, not one for each letter
    history.replaceState(undefined, "", state.href(listed(place), filter))
    dispatchEvent(new HashChangeEvent("hashchange"))
  }, 150)
}

const pick = (name: "outcome" | "pushType" | "topic" | "token" | "collapseId", text: string): void =>
  state.go(listed(state.get().place), { ...state.get().filter, [name]: text === "" ? undefined : text })

const chosen = (event: Event): string => event.target instanceof HTMLSelectElement ? event.target.value : ""

const outcomes: ReadonlyArray<readonly [Outcome, string]> = [
  ["accepted", "Accepted"],
  ["rejected", "Rejected"],
  ["unanswered", "Unanswered"],
  ["lost", "Lost"],
  ["waiting", "Waiting"]
]

const pushTypes = [
  "alert",
  "background",
  "complication",
  "controls",
  "fileprovider",
  "liveactivity",
  "location",
  "mdm",
  "pushtotalk",
  "voip",
  "widgets"
]

const connections = { connecting: "Connecting…", open: "Live", lost: "Lost the inbox, trying again…" } as const

const Bar = ({ current }: { readonly current: State }): View => {
  const { answers, connection, counts, filter, place } = current
  const tab = (view: "send" | "answers", label: View | string): View =>
    html`<a class="button" href=${state.href(place.view === view ? { view: "list" } : { view })} aria-current=${
      place.view === view ? "page" : null
    }>${label}</a>`
  return html`<header class="bar">
    <h1><a href=${
    state.href({ view: "list" }, {})
  }><img src="/assets/icon.svg" alt="" width="28" height="28" />Inbox</a></h1>
    <form class="search" role="search" onSubmit=${(event: Event) => event.preventDefault()}>
      <input id="search" type="search" placeholder="Search pushes" aria-label="Search pushes" aria-keyshortcuts="/" autocomplete="off" spellcheck="false" value=${
    filter.text ?? ""
  } onInput=${search} />
      <select aria-label="Outcome" value=${filter.outcome ?? ""} onChange=${(event: Event) =>
    pick("outcome", chosen(event))}>
        <option value="">Any outcome</option>
        ${
    outcomes.map(([name, label]) => html`<option value=${name} key=${name}>${label} (${count(counts[name])})</option>`)
  }
      </select>
      <select aria-label="Push type" value=${filter.pushType ?? ""} onChange=${(event: Event) =>
    pick("pushType", chosen(event))}>
        <option value="">Any type</option>
        ${pushTypes.map((name) => html`<option value=${name} key=${name}>${name}</option>`)}
      </select>
    </form>
    <span class="live ${connection}"><span class="pulse" aria-hidden="true"></span>${connections[connection]}</span>
    <nav aria-label="Tools">
      ${tab("send", "Send")}
      ${
    tab(
      "answers",
      answers.length === 0 ? "Answers" : html`Answers <span class="badge">${String(answers.length)}</span>`
    )
  }
      <button type="button" class="button" onClick=${state.clearAll} disabled=${counts.total === 0}>Clear</button>
      <button type="button" class="button round" aria-label="Light or dark" onClick=${toggleTheme}><span aria-hidden="true">◐</span></button>
      <button type="button" class="button round" aria-label="Keys and help" onClick=${() =>
    state.set({ help: true })}><span aria-hidden="true">?</span></button>
    </nav>
  </header>`
}

// ---------------------------------------------------------------------------------------------------------------- list

interface Group {
  readonly key: string
  readonly first: Push
  readonly more: ReadonlyArray<Push>
}

/** Threads as one, under the newest of each, and without what was replaced; what is searched for stands alone. */
const groupsOf = (pushes: ReadonlyArray<Push>, filtered: boolean): ReadonlyArray<Group> => {
  const groups: Array<{ key: string; first: Push; more: Array<Push> }> = []
  const threads = new Map<string, { more: Array<Push> }>()
  for (const push of pushes) {
    const key = String(push.id)
    if (filtered) {
      groups.push({ key, first: push, more: [] })
      continue
    }
    if (push.replacedBy !== undefined) continue
    const thread = push.threadId === undefined || push.outcome !== "accepted"
      ? undefined
      : `${push.topic} ${push.token} ${push.threadId}`
    const known = thread === undefined ? undefined : threads.get(thread)
    if (known !== undefined) {
      known.more.push(push)
      continue
    }
    const group = { key: thread ?? key, first: push, more: [] }
    groups.push(group)
    if (thread !== undefined) threads.set(thread, group)
  }
  return groups
}

const toggle = (key: string): void => {
  const expanded = new Set(state.get().expanded)
  if (!expanded.delete(key)) expanded.add(key)
  state.set({ expanded })
}

const List = ({ current }: { readonly current: State }): View => {
  const { expanded, filter, now, older, place, pushes, shown } = current
  const filtered = state.isFiltered(filter)
  const groups = groupsOf(pushes, filtered)
  const selected = place.view === "push" ? place.id : 0
  const card = (push: Push): View =>
    html`<${Card}
      push=${push}
      href=${state.href({ view: "push", id: push.id })}
      selected=${push.id === selected}
      when=${when(push, now)}
    />`
  return html`<ol class="cards">
    ${
    groups.slice(0, shown).map(({ first, key, more }) => {
      const open = expanded.has(key) || more.some(({ id }) => id === selected)
      return html`<li key=${key} class=${more.length > 0 && !open ? "stack" : ""}>
      ${card(first)}
      ${
        more.length === 0 ?
          null :
          html`<button type="button" class="more" aria-expanded=${open ? "true" : "false"} onClick=${() =>
            toggle(key)}>${
            open ? "Show less" : `${plural(more.length, "more", "more")} in thread ${first.threadId ?? ""}`
          }</button>`
      }
      ${
        open
          ? html`<ol class="thread">${more.map((push) => html`<li key=${String(push.id)}>${card(push)}</li>`)}</ol>`
          : null
      }
    </li>`
    })
  }
  </ol>
  ${
    groups.length > shown
      ? html`<button type="button" class="button wide" onClick=${() =>
        state.set({ shown: shown + state.pageSize })}>Show more</button>`
      : older && pushes.length > 0
      ? html`<button type="button" class="button wide" onClick=${() => state.loadOlder()}>Load older pushes</button>`
      : null
  }`
}

const filters = (current: State): View => {
  const { filter } = current
  const names = [["topic", "topic"], ["token", "token"], ["collapseId", "collapse id"]] as const
  return html`${
    names.map(([name, label]) =>
      filter[name] === undefined
        ? null
        : html`<button type="button" class="chip" key=${name} aria-label=${`Remove the filter ${label}`} onClick=${() =>
          pick(name, "")}>${label} ${filter[name] ?? ""} <span aria-hidden="true">✕</span></button>`
    )
  }`
}

const summary = ({ counts, info }: State): string => {
  const { kept, lost, rejected, total, unanswered, waiting } = counts
  const parts = [
    rejected > 0 ? `${count(rejected)} rejected` : undefined,
    unanswered > 0 ? `${count(unanswered)} unanswered` : undefined,
    lost > 0 ? `${count(lost)} lost` : undefined,
    waiting > 0 ? `${count(waiting)} waiting` : undefined,
    kept < total ? `the newest ${count(Math.min(kept, info?.keep ?? kept))} kept` : undefined
  ].filter((part) => part !== undefined)
  return [plural(total, "push", "pushes"), ...parts].join(", ")
}

const Pane = ({ current }: { readonly current: State }): View => {
  const { detail, missing, now, place, pushes } = current
  switch (place.view) {
    case "push":
      return html`<${Detail}
        key=${String(place.id)}
        push=${detail ?? pushes.find(({ id }) => id === place.id)}
        detail=${detail}
        missing=${missing}
        now=${now}
      />`
    case "send":
      return html`<${SendPanel} key="send" current=${current} />`
    case "answers":
      return html`<${AnswersPanel} key="answers" current=${current} />`
    case "list":
      return html`<div class="hint"><p>Choose a push to see everything about it.</p><p class="fine">Press <kbd>?</kbd> for keys.</p></div>`
  }
}

class App extends Pure<{ readonly current: State }> {
  override render(): View {
    const { current } = this.props
    const { connection, counts, filter, help, notice, place, problem, pushes } = current
    const filtered = state.isFiltered(filter)
    const [newest] = pushes
    return html`
      <div class="behind" inert=${help}>
      <${Bar} current=${current} />
      ${problem === "" ? null : html`<p class="trouble" role="alert">${problem}</p>`}
      <main class=${place.view === "list" ? "at-list" : "at-pane"}>
        <section class="list" aria-label="Pushes">
          <p class="summary"><span>${summary(current)}</span>${filters(current)}</p>
          ${
      pushes.length > 0
        ? html`<${List} current=${current} />`
        : connection === "connecting"
        ? null
        : filtered
        ? html`<div class="empty"><h2>No push matches</h2><p>Of ${
          plural(counts.kept, "push", "pushes")
        } none is like that. <a href=${state.href({ view: "list" }, {})}>Show all</a></p></div>`
        : html`<${Empty} info=${current.info} />`
    }
        </section>
        <section class="pane" aria-label="Details">
          ${
      place.view === "list"
        ? null
        : html`<a class="button back" href=${state.href({ view: "list" })}>‹ Back to the list</a>`
    }
          <${Pane} current=${current} />
        </section>
      </main>
      </div>
      <p class="sr" role="status">${notice}${newest === undefined ? "" : ` Newest: ${sentence(newest)}`}</p>
      ${help ? html`<${Help} close=${closeHelp} />` : null}`
  }
}

const closeHelp = (): void => {
  state.set({ help: false })
  document.querySelector<HTMLElement>("[aria-label='Keys and help']")?.focus()
}

// ---------------------------------------------------------------------------------------------------------------- keys

const cards = (): ReadonlyArray<HTMLElement> => Array.from(document.querySelectorAll<HTMLElement>(".cards .card"))

const step = (by: number): void => {
  const all = cards()
  if (all.length === 0) return
  const { place } = state.get()
  const focused = all.findIndex((card) => card === document.activeElement)
  const at = focused >= 0
    ? focused
    : place.view === "push"
    ? all.findIndex(({ dataset }) => dataset["id"] === String(place.id))
    : -1
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))]
  next?.focus()
  next?.scrollIntoView({ block: "nearest" })
  const id = Number(next?.dataset["id"])
  // on a wide page the pane follows; on a phone it would hide the list
  if (next !== undefined && isWide()) state.go({ view: "push", id })
}

const back = (): void => {
  const { help, place } = state.get()
  if (help) return closeHelp()
  const { activeElement } = document
  // what is typed in a form stays
  if (isTyping(activeElement) && activeElement instanceof HTMLElement) return activeElement.blur()
  const id = place.view === "push" ? place.id : undefined
  if (place.view !== "list") state.go({ view: "list" })
  if (id !== undefined) setTimeout(() => cards().find(({ dataset }) => dataset["id"] === String(id))?.focus())
}

const jump = (place: Place): void => state.go(state.get().place.view === place.view ? { view: "list" } : place)

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === "Escape") return back()
  if (isTyping(event.target) || state.get().help) return
  const run = {
    "/": () => document.querySelector<HTMLElement>("#search")?.focus(),
    "j": () => step(1),
    "ArrowDown": () => step(1),
    "k": () => step(-1),
    "ArrowUp": () => step(-1),
    "s": () => jump({ view: "send" }),
    "a": () => jump({ view: "answers" }),
    "t": toggleTheme,
    "?": () => state.set({ help: true })
  }[event.key]
  if (run === undefined) return
  const inPane = event.target instanceof Element && event.target.closest(".pane") !== null
  // arrows scroll what has the focus in the pane
  if (inPane && event.key.startsWith("Arrow")) return
  event.preventDefault()
  run()
})

const root = document.querySelector("#app")
if (root !== null) {
  const draw = (): void => render(html`<${App} current=${state.get()} />`, root)
  state.onChange(() => {
    draw()
    const { counts } = state.get()
    document.title = counts.total === 0 ? "Inbox" : `(${count(counts.total)}) Inbox`
  })
  draw()
  state.start()
}
