import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Audience, Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { authenticateToken, now, provider, resource } from "../../provider/harness.ts"
import { active, world } from "../introspection/answers.ts"

const others = [
  { token_use: "refresh" },
  { token_use: "refresh_token" },
  { typ: "Refresh" },
  { typ: "Offline" },
  { token_type: "refresh_token" },
  { tokenType: "refresh-token" },
  { use: "refresh" }
]

describe("[T-AUD-51] a refresh token", () => {
  it.effect.each(others)(
    "[T-AUD-51] with %j and all marks of an access token is rejected as a JWT",
    (kind) =>
      Effect.gen(function*() {
        const profile = Profile.make({
          id: "in-house",
          name: "Our sign-in",
          issuer: "https://login.example.com",
          audience: Audience.resource
        })
        const { gate, sign } = yield* provider(profile, { algorithm: "ES256" })
        const claims = {
          iss: profile.issuer,
          aud: resource,
          sub: "alice",
          client_id: "client-1",
          scope: "todos:read",
          iat: now,
          exp: now + 300
        }
        for (const typ of ["JWT", undefined, "at+jwt"]) {
          assert.strictEqual(yield* authenticateToken(gate, yield* sign({ typ }, { ...claims, ...kind })), "token-type")
          assert.isObject(yield* authenticateToken(gate, yield* sign({ typ }, { ...claims, jti: typ ?? "none" })))
        }
      })
  )

  it.effect("[T-AUD-51] is rejected when introspection calls it active and names its kind", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate()
      const answers = [
        ...others.map((kind) => [kind, "401 token-type"] as const),
        [{ token_use: "id" }, "401 id-token"],
        [{ typ: "ID" }, "401 id-token"],
        [{ token_type: "N_A" }, "401 token-type"],
        [{ token_type: "Bearer" }, "admitted"],
        [{ token_type: "bearer", token_use: "access_token" }, "admitted"],
        [{ typ: "Bearer", token_type: "Bearer" }, "admitted"]
      ] as const
      for (const [index, [kind, outcome]] of answers.entries()) {
        endpoint.answer = active(kind)
        assert.strictEqual(yield* caller.outcome(`opaque-${index}`), outcome, JSON.stringify(kind))
      }
    }))

  it.effect("[T-AUD-51] a refresh token of Descope is not accepted as a session token", () =>
    Effect.gen(function*() {
      const profile = Profiles.descope({ projectId: "P2abc" })
      const { gate, sign } = yield* provider(profile, { algorithm: "ES256" })
      const claims = {
        iss: profile.issuer,
        aud: ["P2abc"],
        sub: "U2abc",
        scope: "todos:read",
        iat: now,
        exp: now + 300
      }
      assert.strictEqual(
        yield* authenticateToken(gate, yield* sign({ typ: "JWT" }, { ...claims, drn: "DSR" })),
        "id-token"
      )
      assert.isObject(yield* authenticateToken(gate, yield* sign({ typ: "JWT" }, { ...claims, drn: "DS" })))
    }))
})
