import { FastCheck } from "effect"

// A property that fails has noticed the change: no time is spent on looking for a smaller example
FastCheck.configureGlobal({ endOnFailure: true })
