import { defineConfig } from "vitest/config"
import projects from "./vitest.workspace.js"

// vitest 3 deprecates reading the workspace file by itself; naming it here keeps one list of projects.
export default defineConfig({ test: { projects } })
