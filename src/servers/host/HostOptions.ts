import * as Layer from "effect/Layer"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"

/**
 * Rejects options that do not exist: a misspelled one, from JavaScript, would leave its check out. `names` lists every option;
 * the compiler rejects a list that lacks one or has one too many.
 */
export const check = <O extends object>(options: O, path: string, names: Readonly<Record<keyof O, true>>): void => {
  const isObject = typeof options === "object" && options !== null && !Array.isArray(options)
  const unknown = isObject ? Object.keys(options).find((name) => !Object.hasOwn(names, name)) : undefined
  if (isObject && unknown === undefined) return
  const known = Object.keys(names)
  throw new AuthConfigError({
    reason: "malformed",
    option: unknown === undefined ? path : `${path}.${unknown}`,
    fix: unknown === undefined
      ? `${OptionValue.isNot(options, "an object")}. Give one; its options are ${known.join(", ")}`
      : OptionValue.noSuchOption(known)
  })
}

/** Rejects an argument of `Host.make` that is not a layer. */
export const checkLayer = (layer: unknown): void => {
  if (Layer.isLayer(layer)) return
  throw new AuthConfigError({
    reason: "missing",
    option: "Host.make",
    fix: `${OptionValue.isNot(layer, "a layer")}. Give one that provides the gate, such as Gate.layer({ … })`
  })
}

/** Rejects an option that is set and is not a function. `returns` says what the function takes and returns. */
export const checkFunction = (value: unknown, path: string, returns: string): void => {
  if (value === undefined || typeof value === "function") return
  throw new AuthConfigError({
    reason: "malformed",
    option: path,
    fix: `${OptionValue.isNot(value, "a function")}. Give one that ${returns}`
  })
}

/** Names that an author may confuse with `scopes` and `unauthorized`. */
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
    fix: "there is no such option. Write scopes: [\"todos:write\"], or unauthorized: \"challenge\" or \"hide\""
  })
}
