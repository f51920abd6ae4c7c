import type { Principal } from "../Principal.ts"

const unchangeable = () =>
  new TypeError("A principal cannot be changed: all requests with its token share it. Make a copy and change that")

/** A set that throws on every change. `Object.freeze` does not protect the members of a set. */
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

/** Returns an immutable set with the same members. */
export const freezeSet = <A>(set: ReadonlySet<A>): ReadonlySet<A> => set instanceof FrozenSet ? set : FrozenSet.of(set)

// Uses no recursion, because the issuer determines how deeply claims are nested. Only plain objects and arrays are frozen: a
// custom verifier may add other objects, and some of those cannot be frozen or would stop working.
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

/** Returns a deep copy of a JSON value. Objects other than plain objects and arrays are not copied. */
export const copyJson = <A>(value: A): A => {
  const copies = new Map<object, object>()
  // Uses no recursion, for the same reason as `freezeJson`.
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
      // If the name is `__proto__`, which is a valid claim name, an assignment would set the prototype.
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

/** Makes a principal immutable, because a cache returns it to many requests. */
export const freezePrincipal = (principal: Principal): Principal => {
  const granted = freezeSet(principal.granted)
  return Object.freeze({
    ...principal,
    granted,
    scopes: principal.scopes === principal.granted ? granted : freezeSet(principal.scopes),
    roles: freezeSet(principal.roles),
    audience: freezeJson(principal.audience),
    claims: freezeJson(principal.claims)
  })
}
