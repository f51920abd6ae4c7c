import type { Reporter, SerializedError, TestCase, TestModule, TestSpecification, Vitest } from "vitest/node"
import cases from "../test/cases.json" with { type: "json" }
import { differences } from "../test/differences.ts"
import { promises } from "../test/promises.ts"
import { reasons } from "../test/threatReasons.ts"
import threats from "../test/threats.json" with { type: "json" }
import * as Titles from "./titles.ts"

const catalogues: Titles.Catalogues = {
  cases,
  differences: differences.map(({ id }) => id),
  threats: threats.map(({ id }) => id),
  threatReasons: Object.keys(reasons),
  promises
}

const titled = (module: TestModule, test: TestCase): Titles.Test => ({
  file: module.relativeModuleId,
  title: test.name,
  isPassed: test.result().state === "passed" && test.options.fails !== true
})

/**
 * Lists skipped tests, checks the titles of a complete run against the catalogues of `test/`, and prints one last line that
 * programs can read: `N passed, N failed`. A file that cannot run, an error outside tests and a fault in a title also count as
 * failed, so the last line reports a failure whenever the exit code does.
 */
export default class Totals implements Reporter {
  #vitest: Vitest | undefined
  #started = new Set<string>()

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunStart(specifications: ReadonlyArray<TestSpecification>): void {
    this.#started = new Set(specifications.map(({ moduleId }) => moduleId))
  }

  async onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): Promise<void> {
    let passed = 0
    let failed = unhandled.length
    const skipped = new Map<string, number>()
    const titles: Array<Titles.Test> = []
    for (const module of modules) {
      failed += module.errors().length
      for (const suite of module.children.allSuites()) failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        titles.push(titled(module, test))
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
    if (await this.#isComplete()) {
      const { faults, summary } = Titles.check(titles, catalogues)
      for (const line of [...summary, ...faults]) process.stdout.write(`${line}\n`)
      failed += faults.length
      if (faults.length > 0) process.exitCode = 1
    }
    process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
  }

  /** Returns whether every unit test ran. Only a complete run can prove that no case, threat or promise lacks a test. */
  async #isComplete(): Promise<boolean> {
    const vitest = this.#vitest
    if (vitest === undefined || vitest.getGlobalTestNamePattern() !== undefined) return false
    const all = await vitest.globTestSpecifications()
    return all.some(({ project }) => project.name === "unit") &&
      all.every(({ moduleId }) => this.#started.has(moduleId))
  }
}
