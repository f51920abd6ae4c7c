import type { Reporter, SerializedError, TestModule } from "vitest/node"

/**
 * Names what was skipped, and ends the run with one line that a machine can read: `N passed, N failed`. A file that could not be run and an error
 * outside every test count as failed, so the line cannot look better than the exit code.
 */
export default class Totals implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    let passed = 0
    let failed = unhandled.length
    const skipped = new Map<string, number>()
    for (const module of modules) {
      failed += module.errors().length
      for (const suite of module.children.allSuites()) failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed++
        if (state === "failed") failed++
        if (state === "skipped") {
          const where = test.parent.type === "suite" ? ` > ${test.parent.fullName}` : ""
          const name = `${module.relativeModuleId}${where}`
          skipped.set(name, (skipped.get(name) ?? 0) + 1)
        }
      }
    }
    for (const [name, tests] of skipped) process.stdout.write(`skipped, ${tests} of ${name}\n`)
    process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
  }
}
