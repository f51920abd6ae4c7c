import type { Principal } from "../Principal.ts"

const unchangeable = () =>
  new TypeError("A principal cannot be changed: all requests with its token share it. Make a copy and change that")

/** `Object.freeze` does not reach the members of a set. */
class FrozenSet<A> extends Set<A> {
  static of<A>(members: ReadonlySet<A>): ReadonlySet<A> {
    const frozen = new FrozenSet<A>()
    for (const member of members) super.prototype.add.call(frozen, member)
    return Object.freeze(frozen)
  }
  override add(): never {
    throw unchangeable()
  }
  override delete(): never {
    throw unchangeable()
  }
  override clear(): never {
    throw unchangeable()
  }
}

/** A set to which nobody can add, and from which nobody can take. */
export const freezeSet = <A>(set: ReadonlySet<A>): ReadonlySet<A> => Object.isFrozen(set) ? set : FrozenSet.of(set)

// Without recursion: how deep claims are nested is the issuer's choice. Other objects, such as those that a verifier of the
// user's puts there, are left alone: some cannot be frozen, and some would not work any more.
const freezeJson = <A>(value: A): A => {
  const open: Array<unknown> = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (isPlain(next) && !Object.isFrozen(next)) {
      for (const member of Object.values(Object.freeze(next))) open.push(member)
    }
  }
  return value
}

/** A copy of JSON, as deep as it goes. What is neither a plain object nor an array stays what it is. */
export const copyJson = <A>(value: A): A => {
  const copies = new Map<object, object>()
  // Without recursion, for the same reason.
  const open: Array<readonly [original: object, copy: object]> = []
  const copyOf = (original: unknown): unknown => {
    if (!isPlain(original)) return original
    const known = copies.get(original)
    if (known !== undefined) return known
    const copy: object = Array.isArray(original) ? [] : Object.create(Object.getPrototypeOf(original))
    copies.set(original, copy)
    open.push([original, copy])
    return copy
  }
  const root = copyOf(value)
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [original, copy] = next
    for (const [name, member] of Object.entries(original)) {
      // Not an assignment, because `__proto__` is a legal claim name.
      Object.defineProperty(copy, name, {
        value: copyOf(member),
        writable: true,
        enumerable: true,
        configurable: true
      })
    }
  }
  return root as A
}

const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null
}

/** Nobody can change what is handed out again. Scopes become sets that reject to be written to. */
export const freezePrincipal = (principal: Principal): Principal => {
  const granted = freezeSet(principal.granted)
  return Object.freeze({
    ...principal,
    granted,
    scopes: principal.scopes === principal.granted ? granted : freezeSet(principal.scopes),
    audience: freezeJson(principal.audience),
    claims: freezeJson(principal.claims)
  })
}
