import { defineConfig } from "vitest/config"

/** Tests that start several processes for each server, or that take their time on purpose. `npm run test:slow` runs them. */
const slow = [
  "examples/cli-client/test/*.test.ts",
  "examples/shared/test/main.test.ts",
  "examples/todo-manager/instances/*.test.ts",
  "examples/todo-manager/test/browser.test.ts",
  "test/bench/clientFaults.test.ts",
  "test/bench/instances.test.ts",
  "test/cli/call.test.ts",
  "test/cli/page/browser.test.ts",
  "test/client/acceptance/*.test.ts",
  "test/client/NodeBrowser.test.ts",
  "test/conformance/authorization/*.test.ts",
  "test/conformance/client/*.test.ts",
  "test/conformance/conformance.test.ts",
  "test/proxy/browser.test.ts",
  "test/proxy/slow/*.test.ts",
  "test/proxy/upstream/races.test.ts",
  "test/release/*.test.ts",
  "test/scaffold/*.test.ts",
  "test/servers/fromEnvironment.test.ts",
  "test/soak/*.test.ts"
]

export default defineConfig({
  ssr: {
    resolve: {
      // The package resolves itself by name, to its sources. The other three are Vite's defaults.
      conditions: ["effect-mcp-auth/source", "module", "node", "development|production"]
    }
  },
  test: {
    // Many times what a test needs, so that no test fails because the machine is busy.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // By default one core is left to Vitest itself, which hardly needs it: on two cores nothing would run beside anything.
    maxWorkers: "100%",
    // The log is shown only for tests that fail.
    silent: "passed-only",
    // The reporter reads ids in titles: a value in a title is shown whole.
    taskTitleValueFormatTruncate: 200,
    reporters: ["default", "./tools/reporter.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          setupFiles: ["tools/loopback.ts"],
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          // `npm run faults` installs packages below bench/faults, and some come with their tests.
          exclude: [
            "**/node_modules/**",
            "test/package.test.ts",
            "test/tutorials/**",
            "test/providers/debian/**",
            "test/site/**",
            ...slow
          ],
          // Not 0: with a single worker, Vitest runs that group after all others.
          sequence: { groupOrder: 1 }
        }
      },
      {
        // Starts authorization servers in Perl, Python and Ruby, which takes seconds for each file.
        extends: true,
        test: {
          name: "providers",
          include: ["test/providers/debian/*.test.ts"],
          setupFiles: ["tools/loopback.ts"],
          testTimeout: 180_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        extends: true,
        test: {
          name: "slow",
          include: slow,
          setupFiles: ["tools/loopback.ts"],
          testTimeout: 120_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        // Builds the documentation site, and opens every page in a browser.
        extends: true,
        test: {
          name: "site",
          include: ["test/site/*.test.ts"],
          testTimeout: 120_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        // Packs and installs, so it comes last and takes its time.
        extends: true,
        test: {
          name: "package",
          include: ["test/package.test.ts", "test/tutorials/*.test.ts"],
          globalSetup: ["tools/pack.ts"],
          testTimeout: 120_000,
          hookTimeout: 240_000,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
