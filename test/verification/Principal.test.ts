import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import * as Principal from "../../src/verification/Principal.ts"

interface Fields {
  readonly issuer: string
  readonly subject?: string | undefined
  readonly subjectClaim?: string | undefined
  readonly clientId?: string | undefined
}

const make = (fields: Fields) =>
  Principal.make({
    subject: undefined,
    clientId: undefined,
    scopes: new Set(),
    granted: new Set(),
    audience: [],
    expiresAt: 0,
    claims: {},
    token: Redacted.make("token"),
    ...fields
  })

/**
 * Texts of separators, quotes and escapes. If the key of a principal joined its parts without escaping, two principals with
 * different parts could have the same key.
 */
const Part = Schema.Array(
  Schema.Literals(["a", " ", "\"", ",", "[", "]", "|", "\\", "null", "\0", "\ud800", "\\ud800"])
)
const text = (parts: ReadonlyArray<string>) => parts.join("")
const maybe = (parts: ReadonlyArray<string> | null) => parts === null ? undefined : text(parts)

const Identity = Schema.Struct({
  issuer: Part,
  subject: Schema.NullOr(Part),
  claim: Schema.NullOr(Part),
  clientId: Schema.NullOr(Part)
})
const identity = ({ claim, clientId, issuer, subject }: typeof Identity.Type) => ({
  issuer: text(issuer),
  subject: maybe(subject),
  // `subjectClaim` has a meaning only if there is a subject.
  subjectClaim: subject === null ? undefined : maybe(claim),
  clientId: maybe(clientId)
})

describe("owner and key", () => {
  it("the owner is the subject at its issuer, for every client", () => {
    const one = make({ issuer: "i", subject: "s", clientId: "c1" })
    const two = make({ issuer: "i", subject: "s", clientId: "c2" })
    assert.strictEqual(one.owner, two.owner)
    assert.notStrictEqual(one.key, two.key)
    assert.notStrictEqual(one.owner, make({ issuer: "j", subject: "s", clientId: "c1" }).owner)
    assert.notStrictEqual(one.owner, make({ issuer: "i", subject: "t", clientId: "c1" }).owner)
  })

  it("scopes and expiry do not change the key of a caller", () => {
    const one = make({ issuer: "i", subject: "s" })
    assert.strictEqual(
      Principal.make({ ...one, token: Redacted.make("t"), expiresAt: 1, scopes: new Set(["a"]) }).key,
      one.key
    )
  })

  it("a client without a subject has a separate owner, even if a subject has its name", () => {
    const client = make({ issuer: "i", clientId: "x" })
    assert.isUndefined(client.subject)
    assert.notStrictEqual(client.owner, make({ issuer: "i", subject: "x" }).owner)
    assert.notStrictEqual(client.owner, make({ issuer: "i", subject: "x", clientId: "app" }).owner)
    assert.notStrictEqual(client.owner, make({ issuer: "i", clientId: "y" }).owner)
    assert.notStrictEqual(client.key, make({ issuer: "i", subject: "x" }).key)
  })

  it("[T-AUD-17] a client whose identifier is the subject of a person does not own what that person owns", () => {
    const person = make({ issuer: "i", subject: "alice", clientId: "app" })
    const client = make({ issuer: "i", subject: "alice", clientId: "alice" })
    assert.strictEqual(client.subject, "alice")
    assert.notStrictEqual(client.owner, person.owner)
    assert.strictEqual(client.owner, make({ issuer: "i", clientId: "alice" }).owner)
    // Only the claim `sub` can identify a client. If the subject comes from another claim, it is a user whose name equals the
    // client id.
    const user = make({ issuer: "i", subject: "alice", subjectClaim: "upn", clientId: "alice" })
    assert.notStrictEqual(user.owner, client.owner)
  })

  it("[T-AUD-17] the same value of two claims makes two owners", () => {
    const sub = make({ issuer: "i", subject: "alice", clientId: "app" })
    const upn = make({ issuer: "i", subject: "alice", subjectClaim: "upn", clientId: "app" })
    const uid = make({ issuer: "i", subject: "alice", subjectClaim: "uid", clientId: "app" })
    for (const part of ["owner", "key"] as const) {
      assert.strictEqual(new Set([sub[part], upn[part], uid[part]]).size, 3)
      assert.strictEqual(
        make({ issuer: "i", subject: "alice", subjectClaim: "sub", clientId: "app" })[part],
        sub[part]
      )
    }
  })

  it.effect.prop(
    "the key differs if the issuer, the client or the subject differs",
    { one: Identity, two: Identity },
    ({ one, two }) =>
      Effect.sync(() => {
        const [a, b] = [identity(one), identity(two)]
        const same = a.issuer === b.issuer && a.subject === b.subject && a.clientId === b.clientId &&
          a.subjectClaim === b.subjectClaim
        assert.strictEqual(make(a).key === make(b).key, same)
      }),
    { arbitrary: { runs: 2000, size: 3 } }
  )

  it.effect.prop(
    "the owner differs if the issuer or the subject differs",
    { one: Identity, two: Identity },
    ({ one, two }) =>
      Effect.sync(() => {
        const [a, b] = [identity(one), identity(two)]
        const isClient = (_: typeof a) =>
          _.subject === undefined || (_.subjectClaim === undefined && _.subject === _.clientId)
        const same = a.issuer === b.issuer && isClient(a) === isClient(b) &&
          (isClient(a) ? a.clientId === b.clientId : a.subject === b.subject && a.subjectClaim === b.subjectClaim)
        assert.strictEqual(make(a).owner === make(b).owner, same)
      }),
    { arbitrary: { runs: 2000, size: 3 } }
  )

  it.effect.prop(
    "moving a character from one part to the next changes owner and key",
    { all: Schema.String, cut: Schema.Int },
    ({ all, cut }) =>
      Effect.sync(() => {
        const at = Math.abs(cut) % (all.length + 1)
        if (at === 0) return
        const one = make({ issuer: all.slice(0, at), subject: all.slice(at) })
        const two = make({ issuer: all.slice(0, at - 1), subject: all.slice(at - 1) })
        assert.notStrictEqual(one.owner, two.owner)
        assert.notStrictEqual(one.key, two.key)
      })
  )
})
