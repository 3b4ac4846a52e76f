import { performance } from "node:perf_hooks"
const c0=process.cpuUsage(), a = performance.now(); await import("effect"); await import("@effect/platform"); const b = performance.now(), c1=process.cpuUsage(c0); 
const c2=process.cpuUsage(); await import(process.argv[2] ?? "@effect-apns/pool"); const c = performance.now(), c3=process.cpuUsage(c2)
console.log(JSON.stringify({effect:b-a, pool:c-b, ecpu:(c1.user+c1.system)/1000, pcpu:(c3.user+c3.system)/1000}))
