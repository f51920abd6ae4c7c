import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Mcp from "./Mcp.ts"
import { metadataUrl } from "./TodoServer.ts"
import * as World from "./World.ts"

const signIn = (scope: string) => `Bearer scope="${scope}", resource_metadata="${metadataUrl}"`

describe.each(["web", "node"] as const)(
  "Anonymous requests for operations without scopes, %s",
  (kind) => {
    const start = World.make(kind, { anonymous: "allow-unscoped" })

    it.live("HDR-19 rejects invalid credentials", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* start
        const expired = yield* issuer.mint({ expiresIn: "-1 minute" })
        const foreign = yield* issuer.mint({ audience: "https://other.test/mcp" })
        for (const token of ["abc", "a.b.c", expired, foreign, `${expired}x`]) {
          const { headers, status } = yield* host.send(Mcp.modern("resources/read", { uri: "todo://about" }, { token }))
          assert.strictEqual(status, 401)
          assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
        }
        const malformed = [["Bearer"], ["Bearer a b"], ["Bearer a", "Bearer b"], ["/"]]
        for (const lines of malformed) {
          const headers = lines.map((line) => ["authorization", line] as const)
          const { status } = yield* host.send(Mcp.modern("resources/read", { uri: "todo://about" }, { headers }))
          assert.strictEqual(status, 400, lines.join())
        }
        for (const line of ["Basic YTpi", "mac abc", "word", ""]) {
          const { status } = yield* host.send(
            Mcp.modern("resources/read", { uri: "todo://about" }, { headers: [["authorization", line]] })
          )
          assert.strictEqual(status, 401, line)
        }
        assert.deepStrictEqual(ran(), [])
      }))

    it.live("runs operations without scopes", () =>
      Effect.gen(function*() {
        const { host, ran } = yield* start
        const open = [
          Mcp.modern("resources/read", { uri: "todo://about" }),
          Mcp.modern("resources/read", { uri: "note://1" }),
          Mcp.modern("prompts/get", { name: "hello" }),
          Mcp.modern("tools/list")
        ]
        for (const operation of open) assert.strictEqual((yield* host.send(operation)).status, 200)
        assert.deepStrictEqual(ran(), ["todo://about", "note://1", "hello"])
      }))

    it.live("challenges an operation with a scope for the baseline and that scope, without an error", () =>
      Effect.gen(function*() {
        const { host, ran } = yield* start
        const rows = [
          [Mcp.call("list"), "todos:read"],
          [Mcp.call("add"), "todos:read todos:write"],
          [Mcp.call("hinzufügen"), "todos:read todos:write"],
          [Mcp.modern("resources/read", { uri: "todo://items/1" }), "todos:read todos:write"],
          [Mcp.modern("prompts/get", { name: "plan", arguments: { day: "x" } }), "todos:read"]
        ] as const
        for (const [operation, scope] of rows) {
          const { body, headers, status } = yield* host.send(operation)
          assert.deepStrictEqual([status, headers["www-authenticate"], body], [401, signIn(scope), ""])
        }
        assert.deepStrictEqual(ran(), [])
      }))

    it.live("hides hidden operations", () =>
      Effect.gen(function*() {
        const { host, ran } = yield* start
        const hidden = yield* host.send(Mcp.call("purge"))
        const unknown = yield* host.send(Mcp.call("qurge"))
        assert.deepStrictEqual([hidden.status, hidden.body], [
          unknown.status,
          unknown.body.replaceAll("qurge", "purge")
        ])
        const { tools } = Mcp.answer(yield* host.send(Mcp.modern("tools/list"))).result
        assert.notInclude(JSON.stringify(tools), "purge")
        assert.deepStrictEqual(ran(), [])
      }))

    it.live("rejects origins that are not allowed, and invalid bodies", () =>
      Effect.gen(function*() {
        const { host } = yield* start
        const foreign = yield* host.send(Mcp.modern("tools/list", {}, { headers: [["origin", "https://evil.test"]] }))
        assert.strictEqual(foreign.status, 403)
        assert.strictEqual((yield* host.send(Mcp.raw("{"))).status, 400)
      }))

    it.live("SESS-05 the first caller claims a session that was opened anonymously, and then owns it alone", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* start
        const opened = yield* host.send(Mcp.initialize("2025-11-25"))
        const session = opened.headers["mcp-session-id"]!
        const list = (token?: string) =>
          Effect.map(host.send(Mcp.legacy(session, Mcp.message("tools/list"), { token })), ({ status }) => status)
        assert.strictEqual(yield* list(), 200)
        const alice = yield* issuer.mint({ subject: "alice" })
        const bob = yield* issuer.mint({ subject: "bob" })
        assert.strictEqual(yield* list(alice), 200)
        assert.deepStrictEqual([yield* list(), yield* list(bob), yield* list(alice)], [401, 404, 200])
      }))

    it.live("SESS-04 a session that was opened with a token is 401 without one", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* start
        const opened = yield* host.send(Mcp.initialize("2025-11-25", { token: yield* issuer.mint() }))
        const session = opened.headers["mcp-session-id"]!
        assert.strictEqual((yield* host.send(Mcp.legacy(session, Mcp.message("tools/list")))).status, 401)
      }))

    it.live("a tool without scopes that reads its caller fails: no caller is invented", () =>
      Effect.gen(function*() {
        const { host, ran } = yield* start
        const received = yield* host.send(Mcp.call("whoami"))
        if (received.status === 200) assert.isTrue(Mcp.answer(received).result?.isError)
        else assert.strictEqual(received.status, 401)
        assert.notInclude(received.body, "issuer")
        assert.deepStrictEqual(ran(), [])
      }))
  }
)
