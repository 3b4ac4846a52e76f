import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.js"

// vitest 3 deprecates reading the workspace file by itself; naming it here keeps one list of projects.
export default defineConfig({
  test: {
    projects,
    // many tests wait for the network or a child process: more workers than cores keep the cores busy
    maxWorkers: Math.max(4, availableParallelism()),
    minWorkers: 1
  }
})
