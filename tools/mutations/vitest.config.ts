/** Runs the tests of the proxy with one mutation, which `MUTATION` contains as JSON. No file of the repository changes. */
import { join } from "node:path"
import { defineConfig } from "vitest/config"
import base from "../../vitest.config.ts"
import { mutate, type Mutation, root } from "./Mutation.ts"

const mutation: Mutation | undefined = process.env["MUTATION"] === undefined
  ? undefined
  : JSON.parse(process.env["MUTATION"])

export default defineConfig({
  root,
  ...(base.ssr === undefined ? {} : { ssr: base.ssr }),
  plugins: [{
    name: "mutation",
    enforce: "pre",
    transform: (code, id) =>
      mutation !== undefined && id.split("?")[0] === join(root, mutation.file) ? mutate(mutation, code) : undefined
  }],
  test: {
    include: ["test/proxy/**/*.test.ts"],
    setupFiles: ["tools/loopback.ts"],
    testTimeout: 30_000,
    maxWorkers: 1,
    // The cache does not know the mutation, so it would return files of another run.
    fsModuleCache: false,
    silent: true
  }
})
