import { describeBackOff } from "./backOffs.js"

// the other sizes are in BackOff.long.test.ts
for (const size of [1, 4]) describeBackOff(size)
