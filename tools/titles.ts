/**
 * Checks the titles of a complete test run against the catalogues of cases, threats and promises. The reporter passes the
 * results of the run, so a title counts only if its test ran and passed.
 */

/** A test of a run. */
export interface Test {
  /** The path, relative to the repository. */
  readonly file: string
  /** The title with the values of its row, and without the titles of the suites that contain it. */
  readonly title: string
  /** Whether it ran, passed, and was expected to pass. */
  readonly isPassed: boolean
}

/** The cases, threats and promises that the titles of passed tests must cover. */
export interface Catalogues {
  readonly cases: ReadonlyArray<
    {
      readonly id: string
      readonly area: string
      readonly level: string
      readonly given: string
      readonly expect: string
    }
  >
  /** Ids of the cases from which the library differs on purpose. */
  readonly differences: ReadonlyArray<string>
  /** Ids of the threats. */
  readonly threats: ReadonlyArray<string>
  /** Ids of the threats that have a written reason instead of a test. */
  readonly threatReasons: ReadonlyArray<string>
  /** For each promise, the proofs: ids of cases or threats, or parts of titles. */
  readonly promises: Readonly<Record<string, ReadonlyArray<string>>>
}

/** The result of a check. */
export interface Result {
  /** Sentences with the numbers of proven cases, threats and promises. */
  readonly summary: ReadonlyArray<string>
  /** A sentence for each fault. */
  readonly faults: ReadonlyArray<string>
}

/** The areas in which each case of the level `must` needs a test, or an entry in `differences`. */
const areas = ["HDR", "CHAL", "JWT", "ALG", "KEY", "DISC", "PRM", "SCOPE", "SESS", "MCP", "CFG", "INTR", "DPOP"]

/** Returns the ids of cases in a title. */
export const caseIds = (title: string): ReadonlyArray<string> => title.match(/(?<![\w-])[A-Z]{2,6}-\d{2,3}\b/g) ?? []

/** Returns the ids of threats in a title, such as `attack 31` and `attack A5` of the proxy. */
export const threatIds = (title: string): ReadonlyArray<string> =>
  title.match(/\bT-[A-Z]+-\d+[a-z]?\b|\battack A?\d+\b/g) ?? []

const isId = (proof: string): boolean => /^[A-Z]+(?:-[A-Z]+)*-\d+[a-z]?$/.test(proof)

/**
 * Returns a function that checks whether a title contains the proof. If the proof is an id, the title must contain this id.
 * Otherwise, the title must contain the text of the proof.
 */
const proves = (proof: string): (title: string) => boolean => {
  if (!isId(proof)) return (title) => title.includes(proof)
  const id = new RegExp(`\\b${proof}(?![0-9a-z])`)
  return (title) => id.test(title)
}

/** Checks the tests of a complete run. */
export const check = (tests: ReadonlyArray<Test>, catalogues: Catalogues): Result => {
  const passed = tests.filter(({ isPassed }) => isPassed)
  const faults: Array<string> = []

  const tested = new Set(passed.flatMap(({ title }) => caseIds(title)))
  const known = new Set(catalogues.cases.map(({ id }) => id))
  const prefixes = new Set(catalogues.cases.map(({ id }) => id.split("-")[0]!))
  const required = catalogues.cases.filter(({ area, level }) => level === "must" && areas.includes(area))
  for (const { expect, given, id } of required) {
    if (tested.has(id) || catalogues.differences.includes(id)) continue
    faults.push(`case ${id} has no test that passed and is not listed as a difference: ${given}: ${expect}`)
  }
  for (const id of catalogues.differences) {
    if (tested.has(id)) faults.push(`case ${id} has a test, so it is no longer a difference`)
  }
  for (const { file, title } of tests) {
    for (const id of caseIds(title)) {
      if (prefixes.has(id.split("-")[0]!) && !known.has(id)) faults.push(`case ${id} does not exist: ${file}: ${title}`)
    }
    for (const id of threatIds(title)) {
      if (!catalogues.threats.includes(id)) faults.push(`threat ${id} does not exist: ${file}: ${title}`)
    }
  }

  const proven = new Set(passed.flatMap(({ title }) => threatIds(title)))
  for (const id of catalogues.threats) {
    const isExplained = catalogues.threatReasons.includes(id)
    if (!proven.has(id) && !isExplained) faults.push(`threat ${id} has no test that passed, and no written reason`)
    if (proven.has(id) && isExplained) {
      faults.push(`threat ${id} has a test, so its reason in threatReasons.ts is outdated`)
    }
  }

  for (const [promise, proofs] of Object.entries(catalogues.promises)) {
    for (const proof of proofs) {
      const isProof = proves(proof)
      if (!passed.some(({ title }) => isProof(title))) {
        faults.push(`promise "${promise}": no test that passed has "${proof}" in its title`)
      }
    }
  }

  const byTest = required.filter(({ id }) => tested.has(id)).length
  const others = [...tested].filter((id) => known.has(id)).length - byTest
  return {
    summary: [
      `cases: ${required.length} are required, ${byTest} have a test, ` +
      `${required.length - byTest} are differences or open; ${others} other cases have a test`,
      `threats: ${catalogues.threats.length}, of which ${
        catalogues.threats.filter((id) => proven.has(id)).length
      } have a test`,
      `promises: ${Object.keys(catalogues.promises).length}`
    ],
    faults: [...new Set(faults)]
  }
}
