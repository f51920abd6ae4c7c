import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Mcp from "./Mcp.ts"
import * as World from "./World.ts"

/** Opens a session, and returns its id. */
const open = Effect.fnUntraced(function*(token: string, version = "2025-11-25") {
  const { host } = yield* World.fresh
  const received = yield* host.send(Mcp.initialize(version, { token }))
  assert.strictEqual(received.status, 200)
  const session = received.headers["mcp-session-id"]
  assert.isString(session)
  const initialized = yield* host.send(
    Mcp.legacy(session, Mcp.notification("notifications/initialized"), { token, version })
  )
  assert.strictEqual(initialized.status, 202)
  return session!
})

const callWhoami = Mcp.message("tools/call", { name: "whoami", arguments: {} })

describe.each(["web", "node"] as const)("Sessions of 2025-11-25, %s", (kind) => {
  layer(World.layer(kind), { excludeTestServices: true })((it) => {
    it.effect("SESS-01 SESS-02 the session of another caller is 404 on POST, GET and DELETE, and still serves its owner", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        const alice = yield* issuer.mint({ subject: "alice", clientId: "a", scopes: ["todos:read"] })
        const session = yield* open(alice)
        const others = [
          yield* issuer.mint({ subject: "bob", clientId: "a", scopes: ["todos:read"] }),
          yield* issuer.mint({ subject: "alice", clientId: "b", scopes: ["todos:read"] }),
          yield* issuer.mint({ subject: "bob", clientId: "b", scopes: ["todos:read"] }),
          yield* issuer.mint({ subject: "alice", claims: { client_id: undefined }, scopes: ["todos:read"] })
        ]
        for (const token of others) {
          for (const method of ["POST", "GET", "DELETE"]) {
            const received = yield* host.send({
              ...Mcp.legacy(session, callWhoami, { token }),
              method,
              ...bodyOf(method)
            })
            assert.deepStrictEqual([received.status, received.body], [404, ""], method)
            assert.isUndefined(received.headers["mcp-session-id"])
          }
        }
        assert.deepStrictEqual(ran(), [])
        const own = yield* host.send(Mcp.legacy(session, callWhoami, { token: alice }))
        assert.strictEqual(Mcp.answer(own).result?.structuredContent.subject, "alice")
        assert.deepStrictEqual(ran(), ["whoami"])
      }))

    it.effect("SESS-02 a token without a subject is 401, in a session or not", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const session = yield* open(yield* issuer.mint({ subject: "alice" }))
        const token = yield* issuer.mint({ claims: { sub: undefined } })
        assert.strictEqual((yield* host.send(Mcp.legacy(session, callWhoami, { token }))).status, 401)
      }))

    it.effect("SESS-04 a session that was opened with a token is 401 without one, and with a bad one", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        const session = yield* open(yield* issuer.mint())
        for (const token of [undefined, "abc", yield* issuer.mint({ expiresIn: "-1 minute" })]) {
          for (const method of ["POST", "GET", "DELETE"]) {
            const received = yield* host.send({
              ...Mcp.legacy(session, callWhoami, { token }),
              method,
              ...bodyOf(method)
            })
            assert.strictEqual(received.status, 401, method)
          }
        }
        assert.deepStrictEqual(ran(), [])
      }))

    it.effect("the owner can continue with another token of the same client", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const session = yield* open(yield* issuer.mint({ subject: "alice", scopes: ["todos:read"] }))
        const stronger = yield* issuer.mint({ subject: "alice", scopes: ["todos:read", "todos:write"] })
        const received = yield* host.send(
          Mcp.legacy(session, Mcp.message("tools/call", { name: "add", arguments: {} }), { token: stronger })
        )
        assert.strictEqual(Mcp.text(received), "added")
      }))

    it.effect("the token of the request determines the scopes, not the token that opened the session", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        const session = yield* open(yield* issuer.mint({ subject: "alice", scopes: ["todos:read", "todos:write"] }))
        const weaker = yield* issuer.mint({ subject: "alice", scopes: ["todos:read"] })
        const received = yield* host.send(
          Mcp.legacy(session, Mcp.message("tools/call", { name: "add", arguments: {} }), { token: weaker })
        )
        assert.strictEqual(received.status, 403)
        assert.include(received.headers["www-authenticate"], "scope=\"todos:read todos:write\"")
        assert.deepStrictEqual(ran(), [])
      }))

    it.effect("the owner ends a session with DELETE, and then it does not exist for any caller", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const alice = yield* issuer.mint({ subject: "alice" })
        const session = yield* open(alice)
        const end = { ...Mcp.legacy(session, "", { token: alice }), method: "DELETE", body: undefined }
        assert.strictEqual((yield* host.send(end)).status, 204)
        const gone = yield* host.send(end)
        // The gate has released the session, too. Its 404 has `Cache-Control: no-store`, which the 404 of the server lacks.
        assert.deepStrictEqual([gone.status, gone.headers["cache-control"]], [404, "no-store"])
        assert.strictEqual((yield* host.send(Mcp.legacy(session, callWhoami, { token: alice }))).status, 404)
      }))

    it.effect("an owner can have many sessions, and ending one keeps the others", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const alice = yield* issuer.mint({ subject: "alice" })
        const [first, second] = [yield* open(alice), yield* open(alice, "2025-03-26")]
        assert.notStrictEqual(first, second)
        yield* host.send({ ...Mcp.legacy(first, "", { token: alice }), method: "DELETE", body: undefined })
        const received = yield* host.send(Mcp.legacy(second, callWhoami, { token: alice, version: "2025-03-26" }))
        assert.strictEqual(received.status, 200)
      }))

    it.effect("an invented id opens no session, not even for initialize", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const token = yield* issuer.mint({ subject: "alice" })
        for (const chosen of ["00000000-0000-4000-8000-000000000000", "__proto__", "x, y", "undefined"]) {
          const received = yield* host.send(
            Mcp.initialize("2025-11-25", { token, headers: [["mcp-session-id", chosen]] })
          )
          assert.strictEqual(received.status, 404, chosen)
          assert.isUndefined(received.headers["mcp-session-id"])
        }
      }))

    it.effect("initialize inside a session of the caller opens no second one", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const token = yield* issuer.mint({ subject: "alice" })
        const session = yield* open(token)
        const received = yield* host.send(
          Mcp.initialize("2025-11-25", { token, headers: [["mcp-session-id", session]] })
        )
        assert.strictEqual(received.status, 400)
        assert.isUndefined(received.headers["mcp-session-id"])
      }))

    it.effect("two session headers are rejected", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const token = yield* issuer.mint({ subject: "alice" })
        const session = yield* open(token)
        const headers = [["mcp-session-id", session], ["mcp-session-id", session]] as const
        assert.strictEqual((yield* host.send(Mcp.legacy(undefined, callWhoami, { token, headers }))).status, 404)
      }))

    it.effect("the server rejects a request without a session, and runs nothing", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        const token = yield* issuer.mint({ scopes: ["todos:read"] })
        const received = yield* host.send(Mcp.legacy(undefined, callWhoami, { token }))
        assert.strictEqual(received.status, 400)
        assert.deepStrictEqual(ran(), [])
      }))
  })
})

const bodyOf = (method: string): { readonly body?: undefined } => method === "POST" ? {} : { body: undefined }
