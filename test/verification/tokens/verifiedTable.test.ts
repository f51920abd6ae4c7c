import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted } from "effect"
import { Principal } from "effect-mcp-auth"
import { TestClock } from "effect/testing"
import * as verifiedTable from "../../../src/verification/tokens/internal/verifiedTable.ts"

const tokenOf = (name: string) =>
  `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(name).toString("base64url")}.${`${name}-`.repeat(60).slice(-150)}`

const principal = (name: string, claims = {}) =>
  Principal.make({
    issuer: "https://auth.test",
    subject: name,
    clientId: undefined,
    scopes: new Set(),
    granted: new Set(),
    audience: [],
    expiresAt: 10,
    claims,
    token: Redacted.make(tokenOf(name))
  })

const reuse = { from: 0, until: 10_000, freshUntil: 10_000, isCurrent: () => true }

/** Puts the token of the principal with this name into a table. */
const put = (
  table: verifiedTable.VerifiedTable,
  name: string,
  { at = 0, claims = {}, changes = {}, scheme = "Bearer" }: {
    /** The time by both clocks, in milliseconds. */
    readonly at?: number
    readonly claims?: object
    readonly changes?: Partial<typeof reuse>
    readonly scheme?: "Bearer" | "DPoP"
  } = {}
) => {
  const token = tokenOf(name)
  const credentials = { scheme, token: Redacted.make(token) }
  return table.put(
    credentials,
    verifiedTable.keyOfJwt(token)!,
    principal(name, claims),
    { ...reuse, ...changes },
    at,
    at
  )
}

const present = Clock.clockWith((clock) => Effect.succeed({ clock, since: clock.monotonicTimeNanosUnsafe() }))

describe("verifiedTable", () => {
  it.effect("finds a Bearer token by its whole line, and no line that differs from it", () =>
    Effect.gen(function*() {
      const table = verifiedTable.make(10)
      put(table, "alice")
      const now = yield* present
      const lookUp = (line: string) => table.lookupVerified(line, now)?.subject
      const token = tokenOf("alice")
      assert.strictEqual(lookUp(`Bearer ${token}`), "alice")
      const others = [
        `bearer ${token}`,
        `Bearer  ${token}`,
        `DPoP ${token}`,
        token,
        `Bearer x${token}`,
        `Bearer ${token} `
      ]
      for (const other of others) assert.isUndefined(lookUp(other))
    }))

  it.effect("does not find the line of a token that is bound to a key, or was presented with a proof", () =>
    Effect.gen(function*() {
      const table = verifiedTable.make(10)
      put(table, "bound", { claims: { cnf: { jkt: "x" } } })
      put(table, "proven", { scheme: "DPoP" })
      const now = yield* present
      for (const name of ["bound", "proven"]) {
        for (const scheme of ["Bearer", "DPoP"]) {
          assert.isUndefined(table.lookupVerified(`${scheme} ${tokenOf(name)}`, now))
        }
      }
    }))

  it.effect("finds a line only from the start of the token to its end, while it is fresh and its key is published", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(5_000)
      const now = yield* present
      const usable = (changes: Partial<typeof reuse>) => {
        const table = verifiedTable.make(10)
        put(table, "alice", { changes })
        return table.lookupVerified(`Bearer ${tokenOf("alice")}`, now) !== undefined
      }
      const fresh = Number(now.since) / 1e6 + 1
      assert.isTrue(usable({ freshUntil: fresh }))
      assert.isFalse(usable({ freshUntil: fresh, from: 5_001 }))
      assert.isFalse(usable({ freshUntil: fresh, until: 5_000 }))
      assert.isFalse(usable({ freshUntil: fresh - 1 }))
      assert.isFalse(usable({ freshUntil: fresh, isCurrent: () => false }))
    }))

  it("finds a token only with the scheme that it was verified with, and not one with the same key", () => {
    const table = verifiedTable.make(10)
    put(table, "alice")
    const token = tokenOf("alice")
    const key = verifiedTable.keyOfJwt(token)!
    assert.strictEqual(table.find(key, token, "Bearer")?.principal.subject, "alice")
    assert.isUndefined(table.find(key, token, "DPoP"))
    assert.isUndefined(table.find(key, `${token}x`, "Bearer"))
  })

  it("gives a place in a full table to a JWT that is presented for the second time, and keeps used entries", () => {
    const table = verifiedTable.make(2)
    const alice = put(table, "alice")!
    const bob = put(table, "bob")!
    alice.used = true
    assert.isUndefined(put(table, "carol"))
    assert.isDefined(put(table, "carol"))
    assert.isTrue(table.has(alice))
    assert.isFalse(table.has(bob))
  })

  it("deletes expired entries as new ones come, so that a table that is not full holds the tokens in use", () => {
    const table = verifiedTable.make(1_000)
    const expired = Array.from({ length: 100 }, (_, n) => put(table, `old-${n}`, { changes: { freshUntil: 100 } })!)
    const current = Array.from({ length: 50 }, (_, n) => put(table, `new-${n}`, { at: 200 })!)
    assert.deepStrictEqual(expired.filter(table.has), [])
    assert.deepStrictEqual(current.filter((entry) => !table.has(entry)), [])
  })

  it("evicts the entries of certain principals, and has no place with a capacity of 0", () => {
    const table = verifiedTable.make(10)
    const entries = ["alice", "bob"].map((name) => put(table, name)!)
    table.evict(({ subject }) => subject === "alice")
    assert.deepStrictEqual(entries.map(table.has), [false, true])
    assert.isUndefined(put(verifiedTable.make(0), "alice"))
  })
})
