/** What a program without types may pass for anything, things included that throw when they are looked at. */
const boom = (): never => {
  throw new Error("boom")
}

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

export const hostile: Readonly<Record<string, () => unknown>> = {
  "null": () => null,
  "NaN": () => Number.NaN,
  "-1": () => -1,
  "5": () => 5,
  "1e300": () => 1e300,
  "a bigint": () => 5n,
  // as the name of a file it cannot be created: the directory is not there
  "a text": () => "no-such-directory/boom",
  "the empty text": () => "",
  "true": () => true,
  "a symbol": () => Symbol("boom"),
  "an array": () => [null, undefined, {}],
  "an object": () => ({}),
  "an object without a prototype": () => Object.create(null),
  "a tagged object": () => ({ _tag: "boom" }),
  "a function": () => () => 5,
  "a function that throws": () => boom,
  "bytes": () => new Uint8Array(3),
  "an invalid date": () => new Date(Number.NaN),
  "a map": () => new Map(),
  "a Proxy that throws": () =>
    new Proxy({}, { get: boom, has: boom, ownKeys: boom, getOwnPropertyDescriptor: boom, getPrototypeOf: boom }),
  "a function Proxy that throws": () => new Proxy(() => {}, { get: boom, apply: boom, has: boom, ownKeys: boom }),
  "a revoked Proxy": revoked,
  "an object that is no text": () => ({ toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom, toJSON: boom }),
  "a getter that throws": () => Object.defineProperty({}, "_tag", { get: boom, enumerable: true }),
  "iterators that throw": () => ({ [Symbol.iterator]: boom, [Symbol.asyncIterator]: boom }),
  "a Proxy of Proxies": () => new Proxy({ interval: 1 }, { get: () => new Proxy({}, { get: boom }) })
}

/** `options` with each of `fields` in turn replaced by each of the above, and by a getter that throws. */
export const spoiled = (
  options: object,
  fields: ReadonlyArray<string>
): ReadonlyArray<readonly [name: string, field: string, options: object]> =>
  fields.flatMap((field) => [
    ...Object.entries(hostile).map(([name, make]) => [name, field, { ...options, [field]: make() }] as const),
    [
      "a getter of the option that throws",
      field,
      Object.defineProperty({ ...options }, field, { get: boom, enumerable: true })
    ] as const
  ])
