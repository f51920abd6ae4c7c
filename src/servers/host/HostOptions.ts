import { AuthConfigError } from "../../protocol/AuthError.ts"

/**
 * Rejects options that do not exist: a misspelled one, from JavaScript, would leave its check out. `names` lists every option;
 * the compiler rejects a list that lacks one or has one too many.
 */
export const check = <O extends object>(options: O, path: string, names: Readonly<Record<keyof O, true>>): void => {
  const isObject = typeof options === "object" && options !== null && !Array.isArray(options)
  const unknown = isObject ? Object.keys(options).find((name) => !Object.hasOwn(names, name)) : undefined
  if (isObject && unknown === undefined) return
  const known = Object.keys(names).join(", ")
  throw new AuthConfigError({
    reason: "malformed",
    option: unknown === undefined ? path : `${path}.${unknown}`,
    fix: unknown === undefined
      ? `give an object; its members may be ${known}`
      : `there is no such option; correct its name or leave it out. The options are ${known}`
  })
}

/** What an author may write for `scopes` and `unauthorized`. */
const misspelled = /^(?:required?_?)?scopes?$|^unauthori[sz]ed$/i

/**
 * Rejects names in the configuration of a tool, prompt or resource that mean what it requires: the SDK, whose own options are
 * not listed here, would ignore them.
 */
export const checkConfig = <C extends object>(config: C, what: string): C => {
  const name = Object.keys(config).find((name) => misspelled.test(name))
  if (name === undefined) return config
  throw new AuthConfigError({
    reason: "malformed",
    option: `${what}.${name}`,
    fix: "there is no such option; write scopes, a list such as [\"todos:write\"], or unauthorized"
  })
}
