import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result } from "effect"
import { Principal, Profile, TokenVerifier } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import { SigningKey } from "effect-mcp-auth/testing"
import { AuthorizationServer } from "effect-mcp-auth/verification"
import { callTool } from "../../../examples/shared/test/callTool.ts"
import { authenticate } from "../../authorization/steps.ts"
import { type Claims, now, provider, resource } from "../../provider/harness.ts"
import * as TodoManager from "../../providers/todoManager.ts"
import { active, secret, start, world } from "../introspection/answers.ts"

const adfsOptions = {
  issuer: "https://fs.example.com/adfs",
  accessTokenIssuer: "http://fs.example.com/adfs/services/trust",
  subjectClaims: ["sub", "primarysid", "upn"] as const
}
const adfs = Profiles.adfs(adfsOptions)

const adfsClaims = (audience: string, seconds: number): Claims => ({
  aud: audience,
  iss: "http://fs.example.com/adfs/services/trust",
  iat: seconds,
  exp: seconds + 300,
  apptype: "Confidential",
  appid: "client-1",
  authmethod: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
  ver: "1.0",
  scp: "create:todos delete:todos todos:read"
})

/** Returns the owner of a token with these claims, or the reason of its rejection. */
const ownerOf = (profile: Profile.Profile, claims: Claims) =>
  Effect.gen(function*() {
    const { gate, sign } = yield* provider(profile, { algorithm: "ES256" })
    const token = yield* sign({ typ: "JWT" }, claims)
    return yield* authenticate(gate, {
      method: "POST",
      header: () => undefined,
      authorization: [`Bearer ${token}`]
    }).pipe(
      Effect.map((caller) => typeof caller === "string" ? caller : caller.owner),
      Effect.catch((rejection) => Effect.succeed(rejection.reason))
    )
  })

describe("[T-AUD-17] two people never become one owner", () => {
  it.live("[T-AUD-17] a user of ADFS neither lists nor deletes another user's todos", () =>
    Effect.gen(function*() {
      const place = yield* TodoManager.reserve
      const key = yield* SigningKey.make({ algorithm: "RS256", kid: "k" })
      const serve = (profile: Profile.Profile, port: number) =>
        TodoManager.serve({ resource: place.resource, port }, {
          authorizationServers: [{
            profile: { ...profile, algorithms: ["RS256"] },
            jwks: { keys: [key.publicJwk as Claims] }
          }]
        })
      const todos = yield* serve(adfs, place.port)
      const url = `http://127.0.0.1:${place.port}/mcp`
      const tokenOf = (claims: Claims) =>
        key.sign(
          { alg: "RS256", kid: "k", typ: "JWT" },
          { ...adfsClaims(place.resource, Math.floor(Date.now() / 1000)), ...claims }
        )
      // By default, ADFS issues tokens without a claim that distinguishes two users of the same client.
      const nameless = [yield* tokenOf({ auth_time: "1" }), yield* tokenOf({ auth_time: "2" })]
      for (const token of nameless) yield* TodoManager.assertRejected(todos, token)
      // If a claim rule of ADFS adds `upn`, each user is a separate owner.
      const alice = yield* tokenOf({ upn: "alice@example.com" })
      const bob = yield* tokenOf({ upn: "bob@example.com" })
      const { result, status } = yield* todos.create(alice)
      assert.strictEqual(status, 200)
      const { id } = (result?.structuredContent ?? {}) as { readonly id: number }
      const removed = yield* todos.remove(bob, id)
      assert.isTrue(removed.result?.isError)
      const listed = yield* Effect.promise(() => callTool(url, bob, "list_todos"))
      assert.deepStrictEqual(listed.result?.structuredContent, { todos: [] })
      assert.isNotTrue((yield* todos.remove(alice, id)).result?.isError)
    }))

  it.effect.each(
    [
      ["no subject at all", {}],
      ["none of the first claims", { unique_name: "Alice Smith", email: "alice@example.com", name: "Alice" }],
      ["an empty first claim and a valid second one", { sub: "", upn: "alice@example.com" }],
      ["a first claim that is null", { sub: null, upn: "alice@example.com" }],
      ["a number", { upn: 7 }],
      ["a list", { upn: ["alice@example.com"] }],
      ["an object", { primarysid: { sid: "S-1-5" } }],
      ["a control character", { upn: "alice\u0000" }],
      ["a subject in __proto__", JSON.parse("{\"__proto__\":{\"upn\":\"alice\"}}")],
      ["claims that mark machines of other providers", { gty: "client-credentials", idtyp: "app", appidacr: "1" }]
    ] as ReadonlyArray<[string, Claims]>
  )("[T-AUD-17] a token of ADFS with %s is rejected", ([, claims]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* ownerOf(adfs, { ...adfsClaims(resource, now), ...claims }), "subject")
    }))

  it.effect("[T-AUD-17] owners differ by the claim of the subject, and a machine owns nothing of a user", () =>
    Effect.gen(function*() {
      const profile = Profiles.adfs({ ...adfsOptions, machineClients: ["alice"] })
      const tokens: ReadonlyArray<Claims> = [
        { sub: "alice" },
        { upn: "alice" },
        { primarysid: "alice" },
        { appid: "alice" },
        { sub: "bob" },
        { upn: "bob" }
      ]
      const owners = new Set<string>()
      for (const claims of tokens) owners.add(yield* ownerOf(profile, { ...adfsClaims(resource, now), ...claims }))
      assert.strictEqual(owners.size, tokens.length, [...owners].join())
      assert.isFalse(owners.has("subject"))
      // A user who uses two clients is one owner.
      const one = yield* ownerOf(profile, { ...adfsClaims(resource, now), upn: "alice", appid: "client-2" })
      assert.isTrue(owners.has(one))
    }))

  it.effect("[T-AUD-17] two users of Okta with the same application username are two owners", () =>
    Effect.gen(function*() {
      const okta = Profiles.okta({ domain: "acme.okta.com", server: "todos" })
      const claims = {
        iss: okta.issuer,
        aud: resource,
        iat: now,
        exp: now + 300,
        cid: "client-1",
        scp: ["todos:read"],
        sub: "alice"
      }
      const one = yield* ownerOf(okta, { ...claims, uid: "00u1" })
      const two = yield* ownerOf(okta, { ...claims, uid: "00u2" })
      const program = yield* ownerOf(okta, { ...claims, cid: "alice" })
      assert.strictEqual(new Set([one, two, program]).size, 3)
    }))

  it.effect("[T-AUD-17] introspection names the subject by the configured claims", () =>
    Effect.gen(function*() {
      const it = yield* world
      const present = Effect.fnUntraced(function*(introspection: Partial<Introspection.CommonOptions>, claims: Claims) {
        it.endpoint.answer = active({ sub: undefined, ...claims })
        const caller = yield* it.gate({
          server: { introspection: Introspection.make({ ...secret, ...introspection }) }
        })
        const found = yield* caller.present(`opaque-${JSON.stringify(claims).length}`)
        return "_tag" in found ? found.reason : [found.subject, found.owner]
      })
      const named = { subjectClaims: ["sub", "username"] } as const
      const issuer = it.issuer.issuer
      assert.strictEqual(yield* present({}, { username: "alice" }), "subject")
      assert.strictEqual(yield* present({}, {}), "subject")
      assert.deepStrictEqual(yield* present(named, { username: "alice" }), [
        "alice",
        JSON.stringify([issuer, "username", "alice"])
      ])
      assert.deepStrictEqual(yield* present(named, { sub: "1", username: "alice" }), [
        "1",
        JSON.stringify([issuer, "1"])
      ])
      for (const username of ["", 7, null, ["alice"], {}]) {
        assert.strictEqual(yield* present(named, { username }), "subject")
      }
      const marked = { ...named, machineMarks: [{ claim: "grant_type", values: ["client_credentials"] }] } as const
      assert.strictEqual(yield* present(marked, { grant_type: "authorization_code" }), "subject")
      assert.strictEqual(yield* present(marked, { grant_type: ["client_credentials"] }), "subject")
      assert.strictEqual(
        yield* present(marked, { grant_type: "client_credentials", client_id: undefined }),
        "subject"
      )
      assert.deepStrictEqual(yield* present(marked, { grant_type: "client_credentials" }), [
        undefined,
        JSON.stringify([issuer, null, "client-1"])
      ])
    }))

  it("[T-AUD-17] every profile requires a subject, or names the claims that mark a machine", () => {
    const server = (profile: Profile.Profile) => Result.getOrThrow(AuthorizationServer.make({ profile }, "profile"))
    assert.deepStrictEqual(server(adfs).profile?.machineMarks, [])
    assert.deepStrictEqual(Profile.make({ ...adfs, id: "x" }).subjectClaims, ["sub", "primarysid", "upn"])
    // By default, `upn` is not a subject claim, since the `upn` of a former user can be assigned to another person.
    assert.deepStrictEqual(Profiles.adfs({ ...adfsOptions, subjectClaims: undefined }).subjectClaims, [
      "sub",
      "primarysid"
    ])
    assert.deepStrictEqual(Profiles.pingone({ environmentId: "2f8d3b1c-7a64-4d0e-9c55-8e1f6a2b3c4d" }).machineMarks, [])
  })

  it.each(
    [
      [{ subjectClaims: [] }, "malformed", "subjectClaims"],
      [{ subjectClaims: "sub" }, "malformed", "subjectClaims"],
      [{ subjectClaims: ["sub", ""] }, "malformed", "subjectClaims"],
      [{ subjectClaims: [1] }, "malformed", "subjectClaims"],
      [{ subjectClaims: ["sub", "client_id"] }, "insecure", "subjectClaims"],
      [{ subjectClaims: ["appid"] }, "insecure", "subjectClaims"],
      [{ subjectClaims: ["iss"] }, "insecure", "subjectClaims"],
      [{ subjectClaims: ["name"] }, "insecure", "subjectClaims"],
      [{ subjectClaims: ["email"] }, "insecure", "subjectClaims"],
      [{ machineMarks: [{ claim: "appid" }] }, "malformed", "machineMarks"],
      [{ machineMarks: [{ claim: "appid", values: [] }] }, "malformed", "machineMarks"],
      [{ machineMarks: [{ claim: "iss", values: ["https://issuer.test"] }] }, "malformed", "machineMarks"],
      [{ machineMarks: [null] }, "malformed", "machineMarks"],
      [{ machineMarks: {} }, "malformed", "machineMarks"]
    ] as const
  )("[T-AUD-17] rejects the options %j", (options, reason, name) => {
    const profile = { ...adfs, ...options } as unknown as Profile.Profile
    const failed = AuthorizationServer.make({ profile }, "profile")
    assert(Result.isFailure(failed))
    assert.strictEqual(failed.failure.option.split(".")[0], "profile")
    const introspection = Introspection.make({ clientId: "c", ...options } as unknown as Introspection.Options)
    const introspected = AuthorizationServer.make(
      { issuer: "https://issuer.test", introspection },
      "authorizationServers[0]"
    )
    assert(Result.isFailure(introspected))
    assert.deepStrictEqual([introspected.failure.reason, introspected.failure.option], [
      reason,
      `authorizationServers[0].introspection.${name}`
    ])
  })

  it.effect("[T-AUD-17] rejects a principal that names neither subject nor client", () =>
    Effect.gen(function*() {
      const it = yield* world
      for (
        const [fields, outcome] of [
          [{}, "500 malformed"],
          [{ subject: "" }, "500 malformed"],
          [{ subject: "", clientId: "client-1" }, "500 malformed"],
          [{ clientId: "" }, "500 malformed"],
          [{ clientId: "client-1" }, "admitted"],
          [{ subject: "alice" }, "admitted"]
        ] as const
      ) {
        const principal = Principal.make({
          issuer: "https://issuer.test",
          subject: undefined,
          clientId: undefined,
          scopes: new Set(),
          granted: new Set(),
          audience: [],
          expiresAt: start + 300,
          claims: {},
          token: Redacted.make("t"),
          ...fields
        })
        const caller = yield* it.gate({ verifier: () => TokenVerifier.make(() => Effect.succeed(principal)) })
        assert.strictEqual(yield* caller.outcome("t"), outcome, JSON.stringify(fields))
      }
    }))
})
