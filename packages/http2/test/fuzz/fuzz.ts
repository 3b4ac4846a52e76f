/**
 * Mutation fuzzing of the session, guided by what it answers: an input that makes it say something that no input made
 * it say before is kept and mutated further.
 */
import { ErrorCode, Frame, Hpack, Session } from "@effect-apns/http2"
import type { Random } from "../utils.js"
import { Call, Driver, invariants, noBody, post } from "../utils.js"

const { FrameType } = Frame

const limits: Session.Limits = {
  maxHeaderListSize: 2_000,
  maxHeaderCount: 20,
  maxContinuations: 3,
  maxBodySize: 40_000,
  maxControlFrames: 50
}

const smallBody = new Uint8Array(300)
const largeBody = new Uint8Array(70_000)

/** Asks for a request that the session may refuse: the peer's SETTINGS may forbid a header list as large as ours. */
const ask = (session: Session.Session<Call>, calls: Array<Call>, body: Uint8Array): void => {
  const call = new Call()
  if (session.request(call, post, "/3/device/00", undefined, body)) calls.push(call)
  else if (session.available > 0 && session.settings.maxHeaderListSize > 1_000) {
    throw new Error("a request was refused although there was room")
  }
}

/**
 * What happens at the first SETTINGS, so that the input meets streams in every state: streams 1 to 9 open, 7 reset by
 * us, now and then a body at 9 that has to wait.
 */
const open = (session: Session.Session<Call>, calls: Array<Call>, large: boolean): void => {
  if (calls.length > 0) return
  for (let i = 0; i < 4; i++) ask(session, calls, smallBody.subarray(0, 10 * i))
  const reset = calls[3]
  if (reset !== undefined) {
    reset.settled++
    session.reset(reset, ErrorCode.ErrorCode.CANCEL)
  }
  ask(session, calls, large ? largeBody : smallBody)
  session.ping(1)
}

const isLarge = (input: Uint8Array): boolean => input.length % 16 === 0

/** What must hold for the session's memory, and for how much it says. */
const excesses = (session: Session.Session<Call>, input: Uint8Array, output: number): Array<string> => {
  const problems: Array<string> = []
  // whatever the peer sends, it cannot make us say more than our bodies, an answer to each frame, and our requests
  if (output > (isLarge(input) ? 80_000 : 4_000) + 2 * input.length) {
    problems.push(`${output} bytes of output for ${input.length} of input`)
  }
  for (const [room, field, limit] of [["reader", "partial", 16_393], ["block", "bytes", 2 * 4 * 16_384]] as const) {
    const holder: unknown = Reflect.get(session, room)
    const buffer: unknown = typeof holder === "object" && holder !== null ? Reflect.get(holder, field) : undefined
    if (!(buffer instanceof Uint8Array) || buffer.length > limit) problems.push(`the ${room}'s ${field} have grown`)
  }
  return problems
}

/** Hands `input` to a fresh session and looks at its invariants alone, which is quick. */
export const probe = (input: Uint8Array, pieces: () => number): Array<string> => {
  const calls: Array<Call> = []
  let errors = 0
  const settle = (call: Call): void => {
    call.settled++
  }
  const session = new Session.Session<Call>({ authority: "api.push.apple.com", limits }, {
    onResponse: settle,
    onStreamFailure: settle,
    onSettings: () => open(session, calls, isLarge(input)),
    onGoaway: () => {},
    onPong: () => {},
    onProtocolError: () => errors++,
    onOutput: () => {}
  })
  try {
    for (let at = 0; at < input.length;) {
      const size = Math.max(1, pieces())
      session.receive(input.subarray(at, at + size))
      at += size
    }
    ask(session, calls, noBody)
  } catch (error) {
    return [`thrown: ${String(error)}`]
  }
  const problems = invariants(session, calls)
  if (errors > 1) problems.push("two protocol errors")
  let output = 0
  for (let bytes = session.takeOutput(); bytes !== undefined; bytes = session.takeOutput()) output += bytes.length
  problems.push(...excesses(session, input, output))
  return problems
}

/** What one input led to. */
export interface Run {
  /** Everything that was heard and said, for comparing runs. */
  readonly story: string
  /** The kinds of events and answers, without their details: a new set of them makes an input interesting. */
  readonly kinds: ReadonlyArray<string>
  /** What should not be: an empty list for every input. */
  readonly problems: ReadonlyArray<string>
}

/** Hands `input` to a fresh session, in pieces of `pieces()` bytes. */
export const run = (input: Uint8Array, pieces: () => number): Run => {
  const driver = new Driver({ limits })
  driver.onSettings = () => open(driver.session, driver.calls, isLarge(input))
  const problems: Array<string> = []
  try {
    for (let at = 0; at < input.length;) {
      const size = Math.max(1, pieces())
      driver.session.receive(input.subarray(at, at + size))
      at += size
    }
    ask(driver.session, driver.calls, noBody)
    problems.push(...excesses(driver.session, input, driver.take().length))
  } catch (error) {
    problems.push(`thrown: ${String(error)}`)
  }
  problems.push(...driver.problems())
  const sent = driver.sent.map(({ flags, payload, streamId, type }) =>
    `${type} ${flags} ${streamId} ${type === FrameType.DATA ? payload.length : Buffer.from(payload).toString("hex")}`
  )
  const kinds = new Set([
    ...driver.events.map((event) => event.replace(/\{.*|UNKNOWN.*|[0-9]+/g, "#")),
    ...driver.sent.map(({ payload, type }) =>
      type === FrameType.RST_STREAM || type === FrameType.GOAWAY
        ? `${type} ${Buffer.from(payload.subarray(0, 8)).toString("hex")}`
        : `${type}`
    )
  ])
  return {
    story: [...driver.events, ...sent].join("\n"),
    kinds: [...kinds].sort(),
    problems
  }
}

const fields: ReadonlyArray<string> = [
  ...[":status", "200", ":status", "410", ":status", "103", ":status", "2000", ":path", "/"],
  ...["apns-id", "eabeae54-14a8-11e5-b60b-1697f925ec7b", "apns-unique-id", "x", "content-length", "5"],
  ...["retry-after", "7", "Upper", "case", "connection", "close", "x", "a\r\nb", "y", " z", "", ""]
]

/** A random, mostly well-formed stream of frames. */
export const generate = (random: Random): Uint8Array => {
  const encoder = new Hpack.Encoder({ huffman: random.below(2) === 0 })
  const parts: Array<Uint8Array> = [
    random.below(30) === 0
      ? Frame.settings([[random.below(10), random.next()]])
      : Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 8], [
        Frame.SettingId.INITIAL_WINDOW_SIZE,
        random.below(4) * 40_000
      ]])
  ]
  const id = (): number => [1, 1, 3, 3, 5, 7, 9, 11, 0, 2, 0x7fff_ffff][random.below(11)] ?? 1
  const block = (): Uint8Array => {
    const list: Array<string> = random.below(4) === 0 ? [] : [":status", random.below(3) === 0 ? "400" : "200"]
    for (let i = random.below(4); i > 0; i--) {
      const at = random.below(fields.length / 2) * 2
      list.push(fields[at] ?? "", fields[at + 1] ?? "")
    }
    if (random.below(40) === 0) list.push("long", "l".repeat(random.below(5_000)))
    if (random.below(10) === 0) encoder.setMaxTableSize(random.below(4_097))
    return encoder.encode(list)
  }
  const padding = (): number | undefined => random.below(3) === 0 ? random.below(256) : undefined
  const coin = (): boolean => random.below(2) === 0
  for (let count = 1 + random.below(8); count > 0; count--) {
    switch (random.below(13)) {
      case 0:
      case 1:
      case 2: {
        parts.push(Frame.headers(id(), block(), { endStream: coin(), padding: padding() }))
        break
      }
      case 3: {
        const stream = id()
        const whole = block()
        const cut = random.below(whole.length + 1)
        parts.push(Frame.headers(stream, whole.subarray(0, cut), { endHeaders: false, endStream: coin() }))
        if (coin()) parts.push(Frame.continuation(stream, noBody, false))
        parts.push(Frame.continuation(stream, whole.subarray(cut)))
        break
      }
      case 4:
      case 5: {
        const size = random.below(8) === 0 ? random.below(16_000) : random.below(20)
        parts.push(Frame.data(id(), random.bytes(size), { endStream: coin(), padding: padding() }))
        break
      }
      case 6: {
        parts.push(Frame.rstStream(id(), random.below(15)))
        break
      }
      case 7: {
        parts.push(Frame.settings([[
          1 + random.below(7),
          [0, 1, 100, 4096, 16_384, 65_535, 0x7fff_ffff][
            random.below(7)
          ] ?? 0
        ]]))
        break
      }
      case 8: {
        parts.push(Frame.ping(random.below(3), coin()))
        break
      }
      case 9: {
        parts.push(Frame.goaway(id(), random.below(3), "{}"))
        break
      }
      case 10: {
        parts.push(Frame.windowUpdate(id(), [0, 1, 1_000, 60_000, 0x7fff_ffff][random.below(5)] ?? 1))
        break
      }
      case 11: {
        parts.push(Frame.frame(random.below(16), random.below(256), id(), random.bytes(random.below(12))))
        break
      }
      default: {
        const frame = Frame.ping(9)
        for (let i = random.below(60); i > 0; i--) parts.push(frame)
      }
    }
  }
  return Frame.concat(parts)
}

/** A variant of `input`, maybe with a piece of `other`. */
export const mutate = (random: Random, input: Uint8Array, other: Uint8Array): Uint8Array => {
  let bytes: Uint8Array = input.slice()
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(7)) {
      case 0: {
        if (at < bytes.length) bytes[at] = random.next()
        break
      }
      case 1: {
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ 1 << random.below(8)
        break
      }
      case 2: {
        bytes = Frame.concat([bytes.subarray(0, at), random.bytes(1 + random.below(4)), bytes.subarray(at)])
        break
      }
      case 3: {
        bytes = Frame.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(10))])
        break
      }
      case 4: {
        const from = random.below(other.length + 1)
        const piece = other.subarray(from, from + random.below(60))
        bytes = Frame.concat([bytes.subarray(0, at), piece, bytes.subarray(at)])
        break
      }
      case 5: {
        bytes = bytes.subarray(0, at)
        break
      }
      default: {
        // a value that is often an edge
        if (at < bytes.length) bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x3f, 0x40][random.below(8)] ?? 0
      }
    }
    if (bytes.length > 60_000) bytes = bytes.subarray(0, 60_000)
  }
  return bytes
}

export interface Report {
  inputs: number
  kept: number
  readonly failures: Array<{ readonly input: Uint8Array; readonly problems: ReadonlyArray<string> }>
}

/**
 * Runs inputs until `goOn` says no, or a few have failed. Every 16th input is run a second time in other pieces, which
 * has to lead to the same story. `onNew` hears of each input that led to a kind of event or answer never met before.
 */
export const fuzz = (
  random: Random,
  corpus: Array<Uint8Array>,
  goOn: (report: Report) => boolean,
  onNew: (input: Uint8Array, kind: string) => void = () => {}
): Report => {
  const report: Report = { inputs: 0, kept: 0, failures: [] }
  const seen = new Set<string>()
  const met = new Set<string>()
  const pieces = (): number => random.below(4) === 0 ? 1 + random.below(10) : 1 + random.below(3_000)
  const check = (input: Uint8Array): Run => {
    const whole = run(input, () => input.length)
    const problems = [...whole.problems]
    if (report.inputs % 16 === 0 && run(input, pieces).story !== whole.story) {
      problems.push("another story when the same bytes come in other pieces")
    }
    if (problems.length > 0) report.failures.push({ input, problems })
    report.inputs++
    return whole
  }
  const note = (kinds: ReadonlyArray<string>): { readonly set: boolean; readonly kind: string | undefined } => {
    const fresh = kinds.filter((kind) => !met.has(kind))
    for (const kind of fresh) met.add(kind)
    const key = kinds.join("\n")
    const set = !seen.has(key)
    seen.add(key)
    return { set, kind: fresh[0] }
  }
  for (const input of corpus) note(check(input).kinds)
  while (report.failures.length < 5 && goOn(report)) {
    const pick = (): Uint8Array => corpus[random.below(corpus.length)] ?? noBody
    const input = corpus.length === 0 || random.below(5) === 0
      ? generate(random)
      : mutate(random, pick(), pick())
    const { kind, set } = note(check(input).kinds)
    if (!set) continue
    if (corpus.length < 5_000) corpus.push(input)
    report.kept++
    if (kind !== undefined) onNew(input, kind)
  }
  return report
}
