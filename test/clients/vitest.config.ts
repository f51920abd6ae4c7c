/** `npm run clients`. It is not a project of the main configuration, because it installs 300 MB of packages. */
import { defineConfig } from "vitest/config"
import base from "../../vitest.config.ts"

const { ssr, test } = base

export default defineConfig({
  ...ssr === undefined ? {} : { ssr },
  test: {
    root: `${import.meta.dirname}/../..`,
    include: ["test/clients/*.run.ts"],
    globalSetup: ["test/clients/install.ts"],
    setupFiles: ["tools/loopback.ts"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    silent: test?.silent ?? false
  }
})
