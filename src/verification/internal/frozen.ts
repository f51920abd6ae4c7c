import type { Principal } from "../Principal.ts"

const unchangeable = () => {
  throw new TypeError("A principal is shared by every request of its token: make a copy to change it")
}

/** `Object.freeze` does not reach the members of a set. */
const freezeSet = <A>(set: ReadonlySet<A>): ReadonlySet<A> =>
  Object.isFrozen(set) ? set : Object.freeze(
    Object.assign(new Set(set), { add: unchangeable, delete: unchangeable, clear: unchangeable })
  )

// Without recursion: how deep claims are nested is the issuer's choice.
const freezeJson = <A>(value: A): A => {
  const open: Array<unknown> = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next === "object" && next !== null && !Object.isFrozen(next)) {
      for (const member of Object.values(Object.freeze(next))) open.push(member)
    }
  }
  return value
}

/** Nobody can change what is handed out again. Scopes become sets that refuse to be written to. */
export const freezePrincipal = (principal: Principal["Service"]): Principal["Service"] => {
  const granted = freezeSet(principal.granted)
  return Object.freeze({
    ...principal,
    granted,
    scopes: principal.scopes === principal.granted ? granted : freezeSet(principal.scopes),
    audience: freezeJson(principal.audience),
    claims: freezeJson(principal.claims)
  })
}
