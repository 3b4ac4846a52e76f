import { describeBackOff } from "./backOffs.js"

// the other sizes are in BackOff.test.ts
for (const size of [2, 10, 50]) describeBackOff(size)
