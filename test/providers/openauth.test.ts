import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Profiles } from "effect-mcp-auth/provider"
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from "jose"
import { checkRunning } from "./list.ts"
import { clients } from "./officialClients.ts"
import * as OpenAuth from "./openauth.ts"
import * as TodoManager from "./todoManager.ts"

const scopes = ["create:todos", "read:todos"]
const clientId = "todos-client"

/** Starts OpenAuth, and a todo manager that accepts the tokens of one client. */
const serve = Effect.fnUntraced(function*(options: Partial<OpenAuth.Options> = {}) {
  const reserved = yield* TodoManager.reserve
  const openauth = yield* OpenAuth.make({ scopes, ...options })
  const profile = Profiles.openauth({ issuer: openauth.issuer, clientIds: [clientId] })
  return { ...openauth, ...reserved, todos: yield* TodoManager.serve(reserved, { authorizationServers: [profile] }) }
})

describe("a server with OpenAuth", () => {
  it.live.each(clients)(
    "admits the client of $name if the program adds token_type to the response",
    ({ signIn }) =>
      Effect.gen(function*() {
        const { resource: url } = yield* serve({ isCompleted: true })
        yield* Effect.promise(async () => {
          const { callTool, close, tokens } = await signIn({ url, clientId })
          assert.deepInclude({ ...decodeJwt<JWTPayload>(tokens.access_token) }, { sub: "alice", aud: clientId })
          assert.isNotTrue((await callTool("create_todo", { title: "Read RFC 6749" }))["isError"])
          await close()
        })
      })
  )

  it.live.each(clients)(
    "cannot be used by the client of $name as it is: the token response has no token_type",
    ({ signIn }) =>
      Effect.gen(function*() {
        const { resource: url } = yield* serve()
        const error = yield* Effect.promise(() =>
          signIn({ url, clientId }).then(() => "signed in", (error: Error) => error.message)
        )
        assert.include(error, "token_type")
      })
  )

  it.live("passes the check, and stays open to clients in a browser, if the program adds the missing members", () =>
    Effect.gen(function*() {
      const { issuer } = yield* serve({ isCompleted: true })
      const reports = yield* checkRunning(issuer)
      const failed = reports["2026-07-28"].findings.filter(({ level, verdict }) =>
        level === "MUST" && verdict === "fail"
      )
      assert.deepStrictEqual(failed.map(({ rule }) => rule), [])
      assert.deepStrictEqual(
        reports["2026-07-28"].findings.filter(({ rule }) => rule.startsWith("cors")).map(({ verdict }) => verdict),
        ["pass", "pass", "skipped"]
      )
    }))

  it.live("admits tokens with the scopes in properties.scopes", () =>
    Effect.gen(function*() {
      const { issuer, todos, token } = yield* serve()
      const jwt = yield* token(clientId)
      assert.deepInclude({ ...decodeProtectedHeader(jwt) }, { alg: "ES256", typ: "JWT" })
      const { exp, ...claims } = decodeJwt<JWTPayload>(jwt)
      assert.isNumber(exp)
      assert.deepStrictEqual({ ...claims }, {
        iss: issuer,
        sub: clientId,
        aud: clientId,
        mode: "access",
        type: "user",
        properties: { id: clientId, scopes }
      })
      yield* TodoManager.assertAdmitted(todos, jwt)
    }))

  it.live("rejects expired tokens, tokens of other clients and of another OpenAuth, changed tokens, and text", () =>
    Effect.gen(function*() {
      const { todos, token } = yield* serve()
      yield* TodoManager.assertRejected(todos, yield* token("other-client"))
      yield* TodoManager.assertRejected(todos, yield* (yield* OpenAuth.make({ scopes })).token(clientId))
      const [header, payload, signature] = (yield* token(clientId)).split(".")
      yield* TodoManager.assertRejected(todos, `${header}.${payload}.${signature!.split("").reverse().join("")}`)
      yield* TodoManager.assertRejected(todos, "garbage")
      const expiring = yield* serve({ accessTokenLifetime: 0 })
      yield* TodoManager.assertRejected(expiring.todos, yield* expiring.token(clientId))
    }))
})
