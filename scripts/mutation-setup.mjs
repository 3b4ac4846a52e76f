import * as FastCheck from "fast-check"

// A property that fails has noticed the change: no time is spent on looking for a smaller example
FastCheck.configureGlobal({ endOnFailure: true })

// The thread is kept from one change to the next (vitest.mutation.config.ts), but what the change before it has done to our
// own modules is not: they are loaded anew.
const { moduleCache } = globalThis["__vitest_worker__"]
for (const file of [...moduleCache.keys()]) {
  if (file.includes("/packages/")) moduleCache.delete(file)
}
