/** Reads the mutations of the proxy: small edits, each of which removes one check. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

/** An edit that removes a check. A test whose title contains `attack` and the number must fail with it. */
export interface Mutation {
  /** The number of the attack that the check prevents, such as `"31"` or `"A5"`. */
  readonly attack: string
  /** The file below the repository. */
  readonly file: string
  /** The text of the check. It occurs once in the file. */
  readonly find: string
  /** The text without the check. */
  readonly replace: string
  /** The test file below the repository. */
  readonly test: string
}

export const root = join(import.meta.dirname, "../..")

/** The lists: every `mutations.ts` below `test/proxy` exports one as `mutations`. */
export const readMutations = async (): Promise<ReadonlyArray<Mutation>> => {
  const files = readdirSync(join(root, "test/proxy"), { recursive: true, encoding: "utf8" })
    .filter((file) => /(?:^|[/\\])mutations\.ts$/.test(file)).sort()
  const lists = await Promise.all(files.map(async (file) => {
    const { mutations } = await import(pathToFileURL(join(root, "test/proxy", file)).href)
    return mutations as ReadonlyArray<Mutation>
  }))
  return lists.flat()
}

/** Returns the text of a file with a mutation. Throws if the file does not contain the text to find exactly once. */
export const mutate = ({ file, find, replace }: Mutation, text = readFileSync(join(root, file), "utf8")): string => {
  const count = text.split(find).length - 1
  if (count !== 1) throw new Error(`${file} contains ${count} times instead of once: ${find}`)
  return text.replace(find, () => replace)
}

/** Matches the titles of the tests of an attack. */
export const titlePattern = ({ attack }: Pick<Mutation, "attack">): string => `attack ${attack}(?![0-9])`
