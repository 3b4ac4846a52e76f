/**
 * One measurement: a row in a fresh process, warmed up, measured, verified.
 *
 * @since 0.1.0
 */
import { type Duration, Effect } from "effect"
import { BenchmarkError } from "./BenchmarkError.js"
import type { Target } from "./Client.js"
import * as Processes from "./Processes.js"
import type { Row } from "./Rows.js"
import type { Sink } from "./Sink.js"
import { type Behavior, defaultBehavior, type Report } from "./sink/Protocol.js"
import type { Order, Ran, Reply } from "./worker.js"
import * as Workload from "./Workload.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly count: number
  readonly warmUp: number
  readonly nodeFlags?: ReadonlyArray<string> | undefined
  readonly connections?: number | undefined
  readonly inFlight?: number | undefined
  readonly waiting?: number | undefined
  /** Different tokens among those sent. Default: those of the workload. */
  readonly distinct?: number | undefined
  /** Requests for each notification. Default 1. */
  readonly attempts?: number | undefined
  readonly behavior?: Partial<Behavior> | undefined
  /** How long one run may take. Default 60 seconds. */
  readonly within?: Duration.DurationInput | undefined
  /** What is lost is the figure, so that nothing is verified but that the client came to an end. */
  readonly losses?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Measurement {
  readonly cpuSecondsPer100k: number
  readonly perSecond: number
  readonly rssMb: number
  /** Decrypted bytes of a request and of its answer, and the sink's own CPU; nothing where nothing is received. */
  readonly requestBytes: number | undefined
  readonly answerBytes: number | undefined
  readonly sinkCpuSecondsPer100k: number | undefined
  readonly connections: number
  readonly details: Readonly<Record<string, number>>
  /** What the sink says that its delay was. */
  readonly delay: Report["delay"]
}

/**
 * What all measurements of a run share.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bench {
  readonly sink: Sink
  readonly ca: string
  readonly signingKey: string
}

const verifyIds = (row: Row, ran: Ran, report: Report): Effect.Effect<void, BenchmarkError> => {
  const { ids } = ran
  if (ids === undefined) return Effect.void
  const { count, distinct, sum } = ids
  return count === report.requests && distinct === count && sum === report.idSum ? Effect.void : Effect.fail(
    new BenchmarkError({
      reason:
        `it returned ${count} ids (${distinct} different, sum ${sum}) for ${report.requests} answers with sum ${report.idSum}`,
      where: row.name
    })
  )
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const measure = (
  bench: Bench,
  row: Row & { readonly module: { readonly path: string } },
  options: Options
): Effect.Effect<Measurement, BenchmarkError> =>
  Effect.scoped(Effect.gen(function*() {
    const behavior = { ...defaultBehavior, ...options.behavior }
    const target: Target = {
      ca: bench.ca,
      connections: options.connections ?? 1,
      floorAnswerBytes: behavior.floorAnswerBytes,
      floorRequestBytes: behavior.floorRequestBytes,
      inFlight: options.inFlight ?? Workload.inFlight,
      port: bench.sink.port,
      signingKey: bench.signingKey,
      waiting: options.waiting ?? 0
    }
    yield* bench.sink.reset(behavior, row.priority)
    const worker = yield* Processes.start<Order, Reply>({
      name: row.name,
      nodeFlags: options.nodeFlags,
      path: "./worker.js"
    })
    const order = <Type extends Reply["type"]>(question: Order, type: Type) =>
      Effect.flatMap(worker.ask(question, options.within), (reply) => {
        if (reply.type === type) return Effect.succeed(reply as Extract<Reply, { readonly type: Type }>)
        const reason = reply.type === "failed" ? reply.reason : `it answered ${reply.type} to ${question.type}`
        return Effect.fail(new BenchmarkError({ reason, where: row.name }))
      })
    const run = (first: number, count: number, collectIds: boolean) =>
      Effect.gen(function*() {
        yield* bench.sink.clear
        const ran = yield* order({ type: "run", collectIds, count, first }, "ran")
        if (row.against === "nothing") return { ran, report: undefined }
        const expectation = {
          attempts: options.attempts,
          count,
          distinct: options.distinct ?? Workload.distinctTokens,
          first,
          floor: row.against === "floor"
        }
        if (options.losses === true) return { ran, report: yield* bench.sink.inspect(expectation) }
        const report = yield* bench.sink.verify(row.name, expectation)
        yield* verifyIds(row, ran, report)
        return { ran, report }
      })

    yield* order({ type: "open", module: row.module.path, target }, "opened")
    if (options.warmUp > 0) yield* run(0, options.warmUp, row.ids)
    const { ran, report } = yield* run(options.warmUp, options.count, false)
    yield* order({ type: "close" }, "closed")
    yield* worker.end
    return {
      answerBytes: report === undefined ? undefined : report.bytesOut / options.count,
      connections: report?.connections ?? 0,
      delay: report?.delay,
      details: ran.details,
      cpuSecondsPer100k: ran.cpuSeconds / options.count * 100_000,
      perSecond: options.count / ran.wallSeconds,
      requestBytes: report === undefined ? undefined : report.bytesIn / options.count,
      rssMb: ran.rssMb,
      sinkCpuSecondsPer100k: report === undefined ? undefined : report.cpuSeconds / options.count * 100_000
    }
  }))
