import { describe, it } from "@effect/vitest"
import { exits, hangs, kinds } from "./endings.js"

const loads = [{ size: 1, count: 20 }, { size: 3, count: 20 }, { size: 10, count: 20 }, { size: 3, count: 0 }]

for (const [kind, make] of Object.entries(kinds)) {
  describe(`the owner of ${kind} ends, and the server hangs`, () => {
    for (const exit of exits) {
      for (const load of loads) {
        it.scoped(
          `${
            exit[0]
          }, ${load.size} connections, ${load.count} requests -> closed a tenth of a second after drainTimeout`,
          () => hangs(make, exit, load),
          10_000
        )
      }
    }
  })
}
