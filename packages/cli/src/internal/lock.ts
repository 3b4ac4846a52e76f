import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import { hostname } from "node:os"
import { dirname } from "node:path"
import type { NotPossible } from "./errors.js"
import { notPossible } from "./errors.js"
import { fileReason } from "./files.js"

/**
 * The holder of a lock. A process is identified by where its id is valid (`space`: the host, its start, and the PID
 * namespace), its id, and when it started (`born`), since ids are used again, in containers very soon.
 */
const Holder = Schema.Struct({
  nonce: Schema.String,
  host: Schema.String,
  space: Schema.String,
  pid: Schema.Int,
  born: Schema.String,
  /** For people: when the lock was taken. */
  since: Schema.String
})
type Holder = typeof Holder.Type

const decodeHolder = Schema.decodeUnknownOption(Schema.parseJson(Holder))

const readText = (file: string): Promise<string> => fs.readFile(file, "utf8").then((text) => text.trim(), () => "")

const spaceOf = async (): Promise<string> => {
  const [boot, pids] = await Promise.all([
    readText("/proc/sys/kernel/random/boot_id"),
    fs.readlink("/proc/self/ns/pid").catch(() => "")
  ])
  // on Linux a process id means nothing without its namespace
  const here = pids === "" && process.platform === "linux" ? randomUUID() : pids
  return [hostname(), boot, here].join(" ")
}

/** When a process started, by the system's own count; empty if the system does not say. */
const bornOf = async (pid: number): Promise<string> => {
  const stat = await readText(`/proc/${pid}/stat`)
  // the 22nd field; the 2nd is the name in parentheses, which may hold anything
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it exists and belongs to another user
    return code(error) === "EPERM"
  }
}

const code = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined

interface Seen {
  /** Identifies the lock file that was read: two locks are the same only if this is equal. */
  readonly nonce: string
  readonly holder: Holder | undefined
  /** Since the last sign of life, by the clock of the file system. */
  readonly age: number
}

/** How often the holder updates its lock file ... */
const beat = Duration.seconds(2)
/** ... and a holder that has not done so for this long counts as dead. */
const deadAfter = Duration.seconds(12)

/** Gives a draft its name; false if there is a file of that name already. */
const linked = async (draft: string, file: string, text: string): Promise<boolean> => {
  try {
    await fs.link(draft, file)
    return true
  } catch (error) {
    if (code(error) === "EEXIST") return false
    // a file system without hard links
    return await written(file, text)
  }
}

/** Makes a file; false if there is one already. One that could not be written is removed, and never that of another holder. */
const written = async (file: string, text: string): Promise<boolean> => {
  const made = await fs.open(file, "wx", 0o600).catch((error: unknown) => {
    if (code(error) === "EEXIST") return undefined
    throw error
  })
  if (made === undefined) return false
  try {
    await made.writeFile(text)
    return true
  } catch (error) {
    await fs.rm(file, { force: true })
    throw error
  } finally {
    await made.close()
  }
}

/** Makes a file that is complete as soon as it exists; false if there is one already. Nothing is left where that fails. */
const create = async (file: string, holder: Holder): Promise<boolean> => {
  const text = JSON.stringify(holder) + "\n"
  const draft = `${file}.${holder.nonce}`
  try {
    await fs.writeFile(draft, text, { flag: "wx", mode: 0o600 })
    return await linked(draft, file, text)
  } finally {
    await fs.rm(draft, { force: true })
  }
}

const withFile = async <A>(
  file: string,
  flags: string,
  use: (handle: fs.FileHandle) => Promise<A>
): Promise<A> => {
  const handle = await fs.open(file, flags, 0o600)
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}

/** Reads the lock; `undefined` if there is none. */
const look = async (file: string, me: Holder): Promise<Seen | undefined> => {
  try {
    // network file systems have current data only for a file that was just opened
    return await withFile(file, "r", async (handle) => {
      const text = await handle.readFile("utf8")
      const { ino, mtimeMs } = await handle.stat()
      // a new file shows the time of the file system, since the clocks of the hosts that share it may differ
      const probe = `${file}.${randomUUID()}`
      const now = await withFile(probe, "wx", (handle) => handle.stat()).finally(() => fs.rm(probe, { force: true }))
      const holder = holderOf(text, me)
      return {
        nonce: holder?.nonce ?? `${ino}-${text.trim().slice(0, 20).replace(/\W/g, "")}`,
        holder,
        age: now.mtimeMs - mtimeMs
      }
    })
  } catch (error) {
    if (code(error) === "ENOENT") return undefined
    throw error
  }
}

const holderOf = (text: string, me: Holder): Holder | undefined => {
  // the format of version 0.1: only the process id
  if (/^\d{1,15}$/.test(text)) return { ...me, nonce: text, pid: Number(text), born: "", since: "" }
  return Option.getOrUndefined(decodeHolder(text))
}

const isDead = async ({ age, holder }: Seen, me: Holder): Promise<boolean> => {
  if (holder === undefined || holder.space !== me.space) return age > Duration.toMillis(deadAfter)
  // a process that still exists is not dead, even if it was stopped for a while
  return !isAlive(holder.pid) || (holder.born !== "" && holder.born !== await bornOf(holder.pid))
}

/**
 * Replaces a dead holder by `me` with one atomic rename. If several try at the same time, one succeeds: each must first
 * get a second lock that is made for this dead holder, and check that the holder is still the same.
 */
const takeOver = async (file: string, dead: Seen, me: Holder): Promise<boolean> => {
  const guard = `${file}.${dead.nonce}.takeover`
  if (!await acquire(guard, { ...me, nonce: randomUUID() })) return false
  try {
    const still = await look(file, me)
    if (still?.nonce !== dead.nonce) return false
    const draft = `${file}.${me.nonce}`
    await fs.writeFile(draft, JSON.stringify(me) + "\n", { flag: "wx", mode: 0o600 })
    await fs.rename(draft, file)
    return true
  } finally {
    await fs.rm(guard, { force: true })
  }
}

/** One attempt; false if another process holds it or is taking it. */
const acquire = async (file: string, me: Holder): Promise<boolean> => {
  if (await create(file, me)) return true
  const seen = await look(file, me)
  if (seen === undefined) return false
  return await isDead(seen, me) && await takeOver(file, seen, me)
}

/** Releases it, unless another process has taken it over in between. */
const release = async (file: string, me: Holder): Promise<void> => {
  const guard = `${file}.${me.nonce}.takeover`
  if (!await create(guard, { ...me, nonce: randomUUID() })) return
  try {
    if ((await look(file, me))?.nonce === me.nonce) await fs.rm(file, { force: true })
  } finally {
    await fs.rm(guard, { force: true })
  }
}

const describe = ({ holder }: Seen): string =>
  holder === undefined
    ? "another process"
    : `process ${holder.pid} on ${holder.host}${holder.since === "" ? "" : ` since ${holder.since}`}`

/** A lock that is held. */
export interface Lock {
  /** Fails when the lock was lost: the process was stopped for so long that another one has taken it over. */
  readonly check: Effect.Effect<void, NotPossible>
}

/**
 * Keeps a second process from writing the same file, also one in another container or on another host that shares the
 * directory. The lock of a dead process is taken over: at once if it is known to be dead, otherwise when it has not
 * updated the lock for 12 seconds.
 */
export const make = (
  output: string,
  waiting: (message: string) => Effect.Effect<void>
): Effect.Effect<Lock, NotPossible, Scope.Scope> =>
  Effect.gen(function*() {
    const file = `${output}.lock`
    const failed = (error: unknown): NotPossible =>
      notPossible(
        `The output ${output} cannot be written: ${
          error instanceof Error && "code" in error && error.code === "ENOENT"
            ? `its folder ${dirname(output)} does not exist`
            : `its lock ${file}: ${fileReason(error instanceof Error ? error : { message: String(error) })}`
        }`
      )
    const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, NotPossible> =>
      Effect.tryPromise({ try: work, catch: failed })
    const now = yield* DateTime.now
    const me = yield* attempt(async (): Promise<Holder> => ({
      nonce: randomUUID(),
      host: hostname(),
      space: await spaceOf(),
      pid: process.pid,
      born: await bornOf(process.pid),
      since: DateTime.formatIso(now)
    }))
    const busy = (seen: Seen): NotPossible =>
      notPossible(
        `${output} is being written by ${describe(seen)}: wait for it, or remove ${file} if that is no apns bulk`
      )
    let lastSeen: Seen | undefined = undefined
    const take: Effect.Effect<void, NotPossible> = Effect.gen(function*() {
      if (yield* attempt(() => acquire(file, me))) return
      const seen = yield* attempt(() => look(file, me))
      if (seen === undefined) return yield* take
      // its process exists, or it has updated the lock: it is still working
      const moved = lastSeen !== undefined && lastSeen.nonce === seen.nonce && seen.age < lastSeen.age
      if (moved || (seen.holder?.space === me.space)) return yield* busy(seen)
      if (lastSeen === undefined) {
        yield* waiting(
          `${output} is held by ${describe(seen)}. Watching for ${
            Duration.toSeconds(deadAfter)
          } seconds at most whether it is still there.`
        )
      }
      lastSeen = seen
      yield* Effect.sleep("500 millis")
      return yield* take
    })
    yield* Effect.acquireRelease(Effect.interruptible(take), () =>
      Effect.promise(() => release(file, me).catch(() => {})))
    let heard = yield* Clock.currentTimeMillis
    const stillMine = Effect.flatMap(
      attempt(() =>
        look(file, me)
      ),
      (seen) =>
        seen?.nonce === me.nonce
          ? Effect.void
          : notPossible(
            `${output} was taken over by ${
              seen === undefined ? "somebody who removed its lock" : describe(seen)
            } while this process was stopped: what was under way here is theirs`
          )
    )
    const sign = Effect.zipRight(
      stillMine,
      // the file system notes the time of a write by its own clock
      attempt(() => withFile(file, "r+", (handle) => handle.write(JSON.stringify(me) + "\n", 0)))
    ).pipe(Effect.zipRight(Effect.map(Clock.currentTimeMillis, (now) => {
      heard = now
    })))
    yield* Effect.forkScoped(Effect.ignore(Effect.schedule(sign, Schedule.spaced(beat))))
    return {
      check: Effect.flatMap(
        Clock.currentTimeMillis,
        (now) => now - heard < Duration.toMillis(deadAfter) / 2 ? Effect.void : sign
      )
    }
  })
