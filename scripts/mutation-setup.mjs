import * as FastCheck from "fast-check"

// A property that fails has noticed the change: no time is spent on looking for a smaller example
FastCheck.configureGlobal({ endOnFailure: true })
