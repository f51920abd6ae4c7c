/**
 * Joins what the types say about the options of a function with what its errors say.
 */
import { entries, type Entry } from "./Functions.ts"
import { type Member, reader } from "./Members.ts"
import { namesOf, type Rule, ruleOf } from "./Rules.ts"

/** An option of a function. */
export interface FunctionOption {
  /** The path of the option, such as `decisions.details`. */
  readonly name: string
  /** `undefined` if the types lack the option. */
  readonly member: Member | undefined
  /** `undefined` if the value is checked only when it is used. */
  readonly rule: Rule | undefined
}

const isSymbol = (name: string): boolean => name.startsWith("[")

/** Finds the member of an option. Errors name the module of a symbol, and the types do not. */
const find = (members: ReadonlyArray<Member>, name: string): Member | undefined =>
  members.find((member) => member.name === (isSymbol(name) ? `[${name.slice(1, -1).split(".").at(-1)}]` : name))

/** Reads the options of a function at a path, and those inside them. */
export const read = async (
  entry: Entry,
  members: ReadonlyArray<Member>,
  path: ReadonlyArray<string> = []
): Promise<ReadonlyArray<FunctionOption>> => {
  const listed = await namesOf(entry, path)
  // A function that passes options on does not list them. It checks those that the types of this library declare.
  const names = listed.length > 0 || path.length > 0
    ? listed
    : members.filter(({ from }) => from === undefined).map(({ name }) => name)
  const options: Array<FunctionOption> = []
  for (const name of names) {
    const member = find(members, name)
    const at = [...path, name]
    // A symbol has no name by which it can be set.
    const rule = isSymbol(name) ? undefined : await ruleOf(entry, at)
    options.push({ name: at.join("."), member, rule })
    if (!isSymbol(name) && member !== undefined && path.length === 0) {
      options.push(...await read(entry, member.getMembers(), at))
    }
  }
  return options
}

/** Reads the options of all functions, by their path such as `node/McpAuthNode.make`. */
export const readAll = async (root: string): Promise<ReadonlyMap<string, ReadonlyArray<FunctionOption>>> => {
  const membersOf = reader(root)
  const options = new Map<string, ReadonlyArray<FunctionOption>>()
  for (const [path, entry] of Object.entries(entries)) options.set(path, await read(entry, membersOf(path)))
  return options
}
