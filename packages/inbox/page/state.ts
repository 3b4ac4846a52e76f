/** What the page knows, kept up to date by the server's events, and where in the page the person is. */
import type {
  Answer,
  AnswerOptions,
  Counts,
  Event,
  Filter,
  Info,
  Outcome,
  Push,
  PushDetail,
  PushList,
  SendOptions,
  Sent
} from "../src/Model.js"

/** The page holds the newest; older ones are asked for. */
const maxHeld = 500

/** So many are drawn until more are asked for. */
export const pageSize = 100

export type Place =
  | { readonly view: "list" }
  | { readonly view: "push"; readonly id: number }
  | { readonly view: "send" }
  | { readonly view: "answers" }

export interface State {
  readonly connection: "connecting" | "open" | "lost"
  readonly info: Info | undefined
  readonly counts: Counts
  /** Newest first. */
  readonly pushes: ReadonlyArray<Push>
  readonly answers: ReadonlyArray<Answer>
  readonly filter: Filter
  readonly place: Place
  readonly detail: PushDetail | undefined
  /** Whether the inbox said that it has no such push. */
  readonly missing: boolean
  readonly shown: number
  /** Whether the server has older ones. */
  readonly older: boolean
  readonly expanded: ReadonlySet<string>
  readonly now: number
  readonly notice: string
  /** What was asked of the inbox and could not be done. */
  readonly problem: string
  readonly help: boolean
  /** What the forms begin with. */
  readonly draft: Partial<SendOptions> | undefined
  readonly answerDraft: Partial<AnswerOptions> | undefined
}

const noCounts: Counts = { total: 0, accepted: 0, rejected: 0, unanswered: 0, lost: 0, waiting: 0, kept: 0 }

let state: State = {
  connection: "connecting",
  info: undefined,
  counts: noCounts,
  pushes: [],
  answers: [],
  filter: {},
  place: { view: "list" },
  detail: undefined,
  missing: false,
  shown: pageSize,
  older: false,
  expanded: new Set(),
  now: Date.now(),
  notice: "",
  problem: "",
  help: false,
  draft: undefined,
  answerDraft: undefined
}

let listener: () => void = () => {}

export const get = (): State => state

export const onChange = (changed: () => void): void => {
  listener = changed
}

export const set = (change: Partial<State>): void => {
  state = { ...state, ...change }
  listener()
}

export const isFiltered = (filter: Filter): boolean => Object.values(filter).some((value) => value !== undefined)

// ------------------------------------------------------------------------------------------------------------- address

const outcomes: ReadonlyArray<Outcome> = ["accepted", "rejected", "unanswered", "lost", "waiting"]

const filterOf = (query: URLSearchParams): Filter => {
  const text = (name: string): string | undefined => {
    const value = query.get(name)
    return value === null || value === "" ? undefined : value
  }
  const outcome = outcomes.find((candidate) => candidate === query.get("outcome"))
  return {
    text: text("text"),
    topic: text("topic"),
    token: text("token"),
    pushType: text("pushType"),
    collapseId: text("collapseId"),
    outcome
  }
}

const queryOf = (filter: Filter): string => {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(filter)) {
    if (typeof value === "string" && value !== "") query.set(name, value)
  }
  const text = query.toString()
  return text === "" ? "" : `?${text}`
}

/** The address of a place, with the filter that is on. */
export const href = (place: Place, filter: Filter = state.filter): string => {
  const path = place.view === "list" ? "/" : place.view === "push" ? `/push/${place.id}` : `/${place.view}`
  return `#${path}${queryOf(filter)}`
}

export const go = (place: Place, filter: Filter = state.filter): void => {
  location.hash = href(place, filter)
}

const readAddress = (): { readonly place: Place; readonly filter: Filter } => {
  const [path = "/", query = ""] = location.hash.slice(1).split("?", 2)
  const id = /^\/push\/(\d+)$/.exec(path)?.[1]
  const place: Place = id !== undefined
    ? { view: "push", id: Number(id) }
    : path === "/send" || path === "/answers"
    ? { view: path === "/send" ? "send" : "answers" }
    : { view: "list" }
  return { place, filter: filterOf(new URLSearchParams(query)) }
}

const follow = (): void => {
  const { filter, place } = readAddress()
  const refilter = queryOf(filter) !== queryOf(state.filter)
  const other = place.view === "push" && (state.detail === undefined || state.detail.id !== place.id)
  set({
    place,
    filter,
    problem: "",
    ...(other ? { detail: undefined, missing: false } : {}),
    ...(refilter ? { shown: pageSize, pushes: [], older: false } : {})
  })
  if (refilter) connect()
  if (place.view === "push") void loadDetail(place.id)
}

// -------------------------------------------------------------------------------------------------------------- server

class Refused extends Error {
  constructor(readonly status: number, message: string) {
    super(message)
  }
}

const request = async <A>(path: string, method = "GET", body?: unknown): Promise<A> => {
  const response = await fetch(path, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  })
  if (!response.ok) throw new Refused(response.status, await problemOf(response))
  return response.status === 204 ? undefined as A : await response.json() as A
}

const problemOf = async (response: Response): Promise<string> => {
  const text = await response.text()
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === "object" && parsed !== null && "message" in parsed && typeof parsed.message === "string") {
      return parsed.message
    }
  } catch {
    // not JSON: the text itself is the message
  }
  return text.slice(0, 500) || `status ${response.status}`
}

const loadDetail = async (id: number): Promise<void> => {
  try {
    const detail = await request<PushDetail>(`/api/pushes/${id}`)
    if (state.place.view === "push" && state.place.id === id) set({ detail, missing: false })
  } catch (error) {
    // without an answer nobody knows: it is asked for again when the inbox is back
    if (!(error instanceof Refused && error.status === 404)) return
    if (state.place.view === "push" && state.place.id === id) set({ detail: undefined, missing: true })
  }
}

/** What a person asked for: where it cannot be done the page says so. */
const wanted = (what: string, done: Promise<unknown>): void => {
  done.then(
    () => set({ problem: "" }),
    (error: unknown) =>
      set({
        problem: `${what}: ${error instanceof Refused ? error.message : "the inbox does not answer."}`
      })
  )
}

const older = async (): Promise<void> => {
  const oldest = state.pushes.at(-1)
  if (oldest === undefined) return
  const query = new URLSearchParams(queryOf(state.filter).slice(1))
  query.set("before", String(oldest.id))
  query.set("limit", String(pageSize))
  const { more, pushes } = await request<PushList>(`/api/pushes?${query}`)
  set({ pushes: [...state.pushes, ...pushes], older: more, shown: state.shown + pushes.length })
}

export const loadOlder = (): void => wanted("Older pushes were not loaded", older())

export const clearAll = (): void => wanted("The pushes were not cleared", request("/api/pushes", "DELETE"))

export const answer = (options: AnswerOptions): Promise<Answer> => request("/api/answers", "POST", options)

export const removeAnswer = (id: number): void =>
  wanted("The answer was not ended", request(`/api/answers/${id}`, "DELETE"))

export const resetAnswers = (): void => wanted("The answers were not ended", request("/api/answers", "DELETE"))

export const send = (options: SendOptions): Promise<Sent> => request("/api/send", "POST", options)

let source: EventSource | undefined
let retry: ReturnType<typeof setTimeout> | undefined

/** What arrived since the page was drawn last: a burst is drawn once, not push by push. */
let pending = new Map<number, Push>()
let pendingCounts: Counts | undefined
let pendingGone = new Set<number>()
let drawing: ReturnType<typeof setTimeout> | undefined
let drawnAt = 0

const gap = 100

const merge = (): void => {
  drawing = undefined
  drawnAt = performance.now()
  const arrived = pending
  const gone = pendingGone
  pending = new Map()
  pendingGone = new Set()
  const counts = pendingCounts ?? state.counts
  if (gone.size > 0) set({ pushes: state.pushes.filter(({ id }) => !gone.has(id)) })
  if (arrived.size === 0) return set({ counts, now: Date.now() })
  const newest = state.pushes[0]?.id ?? 0
  const oldest = state.pushes.at(-1)?.id ?? 0
  const fresh: Array<Push> = []
  for (const push of arrived.values()) if (push.id > newest) fresh.push(push)
  fresh.sort((a, b) => b.id - a.id)
  const updated = fresh.length === arrived.size
    ? state.pushes
    : state.pushes.map((push) => arrived.get(push.id) ?? push)
  // those between that are not held yet, such as one that waited while others overtook it
  const held = new Set(updated.map(({ id }) => id))
  const between = Array.from(arrived.values()).filter(({ id }) => id <= newest && id > oldest && !held.has(id))
  const all = between.length === 0
    ? [...fresh, ...updated]
    : [...fresh, ...updated, ...between].sort((a, b) => b.id - a.id)
  const limit = Math.max(maxHeld, state.shown)
  set({
    counts,
    pushes: all.length > limit ? all.slice(0, limit) : all,
    older: state.older || all.length > limit,
    now: Date.now()
  })
  const { place } = state
  if (place.view === "push" && arrived.has(place.id)) void loadDetail(place.id)
}

/** What was not told in a burst is fetched when the burst is over. */
let catchingUp: ReturnType<typeof setTimeout> | undefined

const catchUp = (): void => {
  clearTimeout(catchingUp)
  catchingUp = setTimeout(connect, 500)
}

const draw = (): void => {
  if (drawing !== undefined) return
  drawing = setTimeout(merge, Math.max(0, drawnAt + gap - performance.now()))
}

const handle = (event: Event): void => {
  switch (event._tag) {
    case "hello": {
      const restarted = state.info !== undefined && state.info.session !== event.info.session
      pending = new Map()
      pendingGone = new Set()
      pendingCounts = undefined
      set({
        connection: "open",
        problem: "",
        info: event.info,
        counts: event.counts,
        answers: event.answers,
        pushes: event.pushes.toReversed(),
        older: event.counts.kept > event.pushes.length && event.pushes.length >= 200,
        now: Date.now(),
        notice: restarted ? "The inbox was started again." : state.notice
      })
      const { place } = state
      if (place.view === "push") void loadDetail(place.id)
      return
    }
    case "pushes":
      for (const push of event.pushes) {
        pending.delete(push.id)
        pendingGone.delete(push.id)
        pending.set(push.id, push)
      }
      for (const id of event.gone) {
        pending.delete(id)
        pendingGone.add(id)
      }
      if (event.skipped > 0) catchUp()
      while (pending.size > maxHeld) {
        for (const first of pending.keys()) {
          pending.delete(first)
          break
        }
      }
      pendingCounts = event.counts
      return draw()
    case "answers":
      return set({ answers: event.answers })
    case "cleared":
      pending = new Map()
      pendingGone = new Set()
      pendingCounts = undefined
      return set({
        pushes: [],
        older: false,
        counts: event.counts,
        expanded: new Set(),
        notice: "All pushes were forgotten."
      })
  }
}

export const connect = (): void => {
  source?.close()
  clearTimeout(retry)
  clearTimeout(catchingUp)
  const query = queryOf(state.filter)
  const opened = new EventSource(`/api/events${query}`)
  source = opened
  for (const name of ["hello", "pushes", "answers", "cleared"]) {
    opened.addEventListener(name, ({ data }: MessageEvent<string>) => {
      if (source === opened) handle(JSON.parse(data) as Event)
    })
  }
  opened.addEventListener("error", () => {
    if (source !== opened) return
    opened.close()
    set({ connection: "lost" })
    retry = setTimeout(connect, 1000)
  })
}

export const start = (): void => {
  const { filter, place } = readAddress()
  set({ filter, place })
  connect()
  if (place.view === "push") void loadDetail(place.id)
  addEventListener("hashchange", follow)
  setInterval(() => set({ now: Date.now() }), 10_000)
}
