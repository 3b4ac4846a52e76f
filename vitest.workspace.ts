export default ["packages/*/vitest.config.ts", "website/vitest.config.ts"]
