/**
 * `npm run mutations:proxy`: removes the checks of the proxy one by one, and runs the tests of the attack that each check prevents. A
 * mutation that no test notices is a finding. Arguments select mutations by the number of their attack. Exits with 1 if there are
 * findings.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { mutate, type Mutation, readMutations, root, titlePattern } from "./Mutation.ts"

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
}

/** The time that the tests of one mutation have. A test that hangs has noticed the mutation too. */
const limit = 60_000

const folder = mkdtempSync(join(tmpdir(), "mutations-"))

/** Runs the tests of a file whose titles match. Returns `undefined` if they take too long. */
const runTests = (test: string, title: string, mutation?: Mutation): Promise<Report | undefined> =>
  new Promise((resolve, reject) => {
    const output = join(folder, "report.json")
    rmSync(output, { force: true })
    const options = ["--config", "tools/mutations/vitest.config.ts", "--reporter", "json", "--outputFile", output]
    const child = spawn(
      process.execPath,
      ["node_modules/vitest/vitest.mjs", "run", ...options, "--testNamePattern", title, test],
      {
        cwd: root,
        // The process leads a group, so that the servers that a test started end with it.
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, ...(mutation === undefined ? {} : { MUTATION: JSON.stringify(mutation) }) }
      }
    )
    let errors = ""
    let isLate = false
    child.stderr.on("data", (data) => void (errors += data))
    const timer = setTimeout(() => {
      isLate = true
      process.kill(-child.pid!, "SIGKILL")
    }, limit)
    child.once("error", reject)
    child.once("exit", () => {
      clearTimeout(timer)
      if (isLate) return resolve(undefined)
      try {
        resolve(JSON.parse(readFileSync(output, "utf8")))
      } catch {
        reject(new Error(`${test} writes no report:\n${errors}`))
      }
    })
  })

/** The results without a mutation, by test file and title. */
const unchanged = new Map<string, Promise<Report | undefined>>()

const runUnchanged = (test: string, title: string): Promise<Report | undefined> => {
  const key = `${test} ${title}`
  const report = unchanged.get(key) ?? runTests(test, title)
  unchanged.set(key, report)
  return report
}

/** Returns what is wrong with the result of a mutation, or `undefined` if a test noticed it. */
const problemOf = async (mutation: Mutation): Promise<string | undefined> => {
  const title = titlePattern(mutation)
  const before = await runUnchanged(mutation.test, title)
  if (before === undefined) return "the tests without the mutation take too long"
  if (before.numFailedTests > 0) return "a test fails without the mutation"
  if (before.numPassedTests === 0) return `no test of ${mutation.test} has a title that matches ${title}`
  const after = await runTests(mutation.test, title, mutation)
  if (after === undefined || after.numFailedTests > 0) return undefined
  return after.numPassedTests === 0 ? "the file does not load with the mutation" : "no test notices it"
}

const chosen = new Set(process.argv.slice(2))
const all = await readMutations()
const mutations = all.filter(({ attack }) => chosen.size === 0 || chosen.has(attack))
for (const mutation of mutations) mutate(mutation)

let findings = 0
for (const mutation of mutations) {
  const problem = await problemOf(mutation)
  if (problem !== undefined) findings++
  const [line = ""] = mutation.find.trim().split("\n")
  console.log(`${problem === undefined ? "noticed" : "MISSED "} attack ${mutation.attack} ${mutation.file}: ${line}`)
  if (problem !== undefined) console.log(`        ${problem}`)
}
rmSync(folder, { recursive: true, force: true })
console.log(`${mutations.length} mutations, ${findings} findings`)
process.exit(findings === 0 && mutations.length > 0 ? 0 : 1)
