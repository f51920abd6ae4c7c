import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from "jose"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"
import { runs } from "../../program.ts"
import { assertListed } from "../listed.ts"
import { clients } from "../officialClients.ts"
import * as TodoManager from "../todoManager.ts"
import { hourLater } from "./hourLater.ts"
import * as LemonLdap from "./lemonldap.ts"

const reserved = await Effect.runPromise(TodoManager.reserve)

class Server extends Context.Service<Server, LemonLdap.LemonLdap>()("test/LemonLdap") {}

/** Starts the todo manager with the profile, or with other authorization options. */
const serve = (port: number, introspection?: Introspection.Introspection) =>
  Effect.flatMap(Server, ({ issuer }) => {
    const profile = Profiles.lemonldap({ issuer })
    const authorizationServers = [introspection === undefined ? profile : { profile, introspection }] as const
    return TodoManager.serve({ ...reserved, port }, { authorizationServers }, TodoManager.stepwise)
  })

describe.skipIf(!runs("lemonldap"))("LemonLDAP::NG (skipped if it is not installed)", () => {
  layer(Layer.effect(Server, LemonLdap.make(reserved)), { excludeTestServices: true, timeout: "2 minutes" })((it) => {
    it.effect("signs in users of both official clients, because the challenge requests the scope openid", () =>
      Effect.gen(function*() {
        const { issuer } = yield* Server
        yield* serve(reserved.port)
        for (const { name, signIn } of clients) {
          let requested: string | null = null
          const { callTool, close, tokens } = yield* Effect.promise(() =>
            signIn({
              url: reserved.resource,
              clientId: "mcp",
              browse: (url) => {
                requested = url.searchParams.get("scope")
                return new UserAgent(LemonLdap.doctor).authorize(url)
              }
            })
          )
          assert.strictEqual(requested, "create:todos read:todos openid", name)
          const created = yield* Effect.promise(() => callTool("create_todo", { title: "Read RFC 8707" }))
          assert.isNotTrue(created["isError"])
          yield* Effect.promise(close)
          const header = { ...decodeProtectedHeader(tokens.access_token) }
          assert.deepStrictEqual(header, { alg: "RS256", typ: "JWT", kid: "test" })
          assert.deepInclude({ ...decodeJwt<JWTPayload>(tokens.access_token) }, {
            iss: issuer,
            sub: "dwho",
            client_id: "mcp",
            aud: ["mcp", reserved.resource]
          })
        }
      }))

    it.effect("admits JWTs with the additional audience, and rejects ID tokens, opaque tokens and tokens of other relying parties", () =>
      Effect.gen(function*() {
        const { mint, mintForProgram } = yield* Server
        const todos = yield* serve(reserved.port)
        const { access_token, id_token } = yield* mint("mcp")
        yield* TodoManager.assertAdmitted(todos, access_token)
        yield* TodoManager.assertAdmitted(todos, yield* mintForProgram)

        assert.deepStrictEqual(decodeJwt(id_token).aud, decodeJwt(access_token).aud)
        yield* TodoManager.assertRejected(todos, id_token)
        for (const clientId of ["elsewhere", "without-audience", "opaque"] as const) {
          yield* TodoManager.assertRejected(todos, (yield* mint(clientId)).access_token)
        }
        yield* TodoManager.assertRejected(todos, `${access_token.slice(0, -8)}AAAAAAAA`)
        yield* TodoManager.assertRejected(todos, "garbage")
      }))

    it.effect("issues tokens that expire", () =>
      Effect.gen(function*() {
        const { mint } = yield* Server
        const later = yield* hourLater(serve(reserved.port))
        yield* TodoManager.assertRejected(later, (yield* mint("mcp")).access_token)
      }))

    it.effect("introspects JWTs until the user signs out, and opaque tokens without an audience, which are rejected", () =>
      Effect.gen(function*() {
        const { introspector, mint } = yield* Server
        const introspection = Introspection.make({ ...introspector, tokens: "all", cacheFor: 0 })
        const introspecting = yield* serve(reserved.port, introspection)
        const { access_token, signOut } = yield* mint("mcp")
        yield* TodoManager.assertAdmitted(introspecting, access_token)
        yield* signOut
        yield* TodoManager.assertRejected(introspecting, access_token)
        // Without introspection, the JWT is valid until it expires.
        const { port } = yield* TodoManager.reserve
        yield* TodoManager.assertAdmitted(yield* serve(port), access_token)

        yield* TodoManager.assertRejected(introspecting, (yield* mint("opaque")).access_token)
        yield* TodoManager.assertRejected(introspecting, "garbage")
      }))

    it.effect("has the result of check in the list", () =>
      Effect.flatMap(Server, ({ issuer }) => assertListed("lemonldap", issuer)))
  })
})
