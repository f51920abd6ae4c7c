import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger } from "effect"
import { type AuthError, Policy, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpSchema, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { authLayer } from "./gates.ts"
import * as Host from "./Host.ts"
import * as Mcp from "./Mcp.ts"
import * as TodoServer from "./TodoServer.ts"
import * as World from "./World.ts"

const read = (uri: string) => (options: Mcp.Options) => Mcp.modern("resources/read", { uri }, options)
const prompt = (name: string) => (options: Mcp.Options) =>
  Mcp.modern("prompts/get", { name, arguments: { day: "monday" } }, options)
const tool = (name: string) => (options: Mcp.Options) => Mcp.call(name, options)
const complete =
  (ref: { readonly type: string; readonly name?: string; readonly uri?: string }, argument: string) =>
  (options: Mcp.Options) => Mcp.modern("completion/complete", { ref, argument: { name: argument, value: "" } }, options)
const completePrompt = (name: string) => complete({ type: "ref/prompt", name }, "day")
const completeTemplate = (uri: string) => complete({ type: "ref/resource", uri }, "id")

/** Returns the scopes that the challenge of a 403 names. Any other response fails the test. */
const namedScopes = ({ body, headers, status }: Host.Received): string | undefined => {
  assert.strictEqual(status, 403, body)
  return /^Bearer error="insufficient_scope", scope="([^"]*)"/.exec(headers["www-authenticate"]!)?.[1]
}

const opening = Effect.fnUntraced(function*(token: string, version: string) {
  const { host } = yield* World.World
  const { headers } = yield* host.send(Mcp.initialize(version, { token }))
  const session = headers["mcp-session-id"]!
  yield* host.send(Mcp.legacy(session, Mcp.notification("notifications/initialized"), { token, version }))
  return session
})

layer(World.layer("web"), { excludeTestServices: true })("Scopes of single operations", (it) => {
  interface Row {
    readonly title: string
    readonly sent: (options: Mcp.Options) => Host.Sent
    readonly needs: ReadonlyArray<string>
    readonly runs: string
  }

  const rows: ReadonlyArray<Row> = [
    { title: "CHAL-03 a tool", sent: tool("list"), needs: ["todos:read"], runs: "list" },
    { title: "SCOPE-09 a tool with two scopes", sent: tool("add"), needs: ["todos:read", "todos:write"], runs: "add" },
    {
      title: "SCOPE-15 an alias of a tool",
      sent: tool("alias_of_add"),
      needs: ["todos:read", "todos:write"],
      runs: "alias_of_add"
    },
    {
      title: "MCP-04 a tool whose name is sent encoded",
      sent: tool("hinzufügen"),
      needs: ["todos:write"],
      runs: "hinzufügen"
    },
    { title: "a resource", sent: read("todo://settings"), needs: ["todos:read"], runs: "todo://settings" },
    {
      title: "a resource of a template",
      sent: read("todo://items/1"),
      needs: ["todos:read", "todos:write"],
      runs: "todo://items/1"
    },
    { title: "a prompt", sent: prompt("plan"), needs: ["todos:read"], runs: "plan" },
    { title: "the completion of a prompt", sent: completePrompt("plan"), needs: ["todos:read"], runs: "complete plan" },
    {
      title: "the completion of a template",
      sent: completeTemplate("todo://items/{id}"),
      needs: ["todos:read", "todos:write"],
      runs: "complete todo://items/{id}"
    }
  ]

  it.effect.each(rows)(
    "$title: 403 with all its scopes until all are granted",
    ({ needs, runs, sent }) =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        for (let missing = 0; missing < needs.length; missing++) {
          const scopes = [...needs.filter((_, i) => i !== missing), "todos:admin", "other"]
          const token = yield* issuer.mint({ scopes })
          assert.strictEqual(namedScopes(yield* host.send(sent({ token }))), needs.join(" "))
        }
        assert.strictEqual(namedScopes(yield* host.send(sent({ token: yield* issuer.mint() }))), needs.join(" "))
        assert.deepStrictEqual(ran(), [])
        const received = yield* host.send(sent({ token: yield* issuer.mint({ scopes: needs }) }))
        assert.strictEqual(received.status, 200)
        assert.isDefined(Mcp.answer(received).result, received.body)
        assert.deepStrictEqual(ran(), [runs])
      })
  )

  it.effect.each([
    { title: "a tool", sent: tool("whoami"), runs: "whoami" },
    { title: "a resource", sent: read("todo://about"), runs: "todo://about" },
    { title: "a resource of a template", sent: read("note://1"), runs: "note://1" },
    { title: "a prompt", sent: prompt("hello"), runs: "hello" }
  ])("$title without scopes accepts every valid token", ({ runs, sent }) =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const received = yield* host.send(sent({ token: yield* issuer.mint() }))
      assert.isDefined(Mcp.answer(received).result, received.body)
      assert.deepStrictEqual(ran(), [runs])
    }))

  it.effect.each([
    "todo://settings/",
    "todo://settings?x=1",
    "todo://settings#x",
    "todo:///settings",
    "todo:/settings",
    "todo://Settings",
    "TODO://settings",
    "todo://%73ettings",
    "todo://items//1",
    "todo://items/1/",
    "todo:///items/1",
    "todo://items/1?x=1",
    "todo://items/1#x",
    "todo://items/1;x",
    "todo://items/%31",
    "todo://%69tems/1",
    "todo://items/1%2F2",
    "todo://items/../items/1",
    "todo://Items/1",
    "todo://secret//1",
    "todo://secret/1/",
    "todo://secret/1?x=1",
    "todo:///secret/1",
    "todo://%73ecret/1"
  ])("no spelling bypasses the scopes: %s", (uri) =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const { body, headers, status } = yield* host.send(read(uri)({ token: yield* issuer.mint() }))
      if (status === 403) assert.include(headers["www-authenticate"], "insufficient_scope")
      else assert.notInclude(body, "\"result\"")
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("a completion that names a URI instead of its template runs nothing", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint()
      for (const sent of [completeTemplate("todo://items/1"), complete({ type: "ref/other", name: "plan" }, "day")]) {
        assert.strictEqual(Mcp.answer(yield* host.send(sent({ token }))).error?.code, -32602)
      }
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("a body whose members are in a prototype, repeated or nested runs nothing that is not allowed", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const session = yield* opening(token, "2025-11-25")
      const bodies = [
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"__proto__\":{\"name\":\"add\"}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\",\"__proto__\":{\"name\":\"list\"}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"list\",\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"__proto__\":{\"method\":\"tools/call\"},\"params\":{\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "[[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}]]",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools\\u002fcall\",\"params\":{\"n\\u0061me\":\"\\u0061dd\"}}",
        "\ufeff{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}\n{\"jsonrpc\":\"2.0\",\"id\":2}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}"
      ]
      for (const body of bodies) {
        const received = yield* host.send(Mcp.legacy(session, body, { token }))
        assert.isBelow(received.status, 500, body)
        assert.deepStrictEqual(ran(), [], body)
      }
    }))

  it.effect("watching a resource requires the scopes of reading it, in every revision", () =>
    Effect.gen(function*() {
      const { host, issuer } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const watched = { notifications: { resourceSubscriptions: ["todo://settings", "todo://items/1"] } }
      assert.strictEqual(
        namedScopes(yield* host.send(Mcp.modern("subscriptions/listen", watched, { token }))),
        "todos:read todos:write"
      )
      const session = yield* opening(token, "2025-11-25")
      for (const method of ["resources/subscribe", "resources/unsubscribe"]) {
        const received = yield* host.send(
          Mcp.legacy(session, Mcp.message(method, { uri: "todo://items/1" }), { token })
        )
        assert.strictEqual(namedScopes(received), "todos:read todos:write")
      }
    }))

  it.effect("if an open resource and a protected template match, the server's choice decides", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const { body } = yield* host.send(read("todo://items/help")({ token: yield* issuer.mint() }))
      assert.include(body, "open help")
      assert.deepStrictEqual(ran(), ["todo://items/help"])
    }))

  it.effect("MCP-01 concurrent requests have separate callers", () =>
    Effect.gen(function*() {
      const { host, issuer } = yield* World.fresh
      const names = Array.from({ length: 40 }, (_, i) => `caller-${i}`)
      const seen = yield* Effect.forEach(names, (subject) =>
        Effect.gen(function*() {
          const token = yield* issuer.mint({ subject })
          return Mcp.answer(yield* host.send(tool("whoami")({ token }))).result.structuredContent.subject
        }), { concurrency: "unbounded" })
      assert.deepStrictEqual(seen, names)
    }))

  it.effect("a tool call without an id is checked like any other", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const call = Mcp.notification("tools/call", { name: "add", arguments: {} })
      for (const version of ["2025-11-25", "2025-03-26"]) {
        const session = yield* opening(token, version)
        assert.strictEqual(
          namedScopes(yield* host.send(Mcp.legacy(session, call, { token, version }))),
          "todos:read todos:write"
        )
      }
      assert.deepStrictEqual(ran(), [])
    }))
})

layer(World.layer("web"), { excludeTestServices: true })("Headers of 2026-07-28 that contradict the body", (it) => {
  it.effect.each(
    [
      { title: "MCP-03 Mcp-Method is missing", without: ["mcp-method"], headers: [] },
      { title: "MCP-03 Mcp-Name is missing", without: ["mcp-name"], headers: [] },
      { title: "MCP-03 Mcp-Name names another tool", without: [], headers: [["mcp-name", "whoami"]] },
      { title: "MCP-03 Mcp-Name in another case", without: [], headers: [["mcp-name", "LIST"]] },
      { title: "MCP-03 Mcp-Method names another method", without: [], headers: [["mcp-method", "tools/list"]] },
      { title: "MCP-04 Mcp-Name encodes another tool", without: [], headers: [["mcp-name", "=?base64?d2hvYW1p?="]] },
      { title: "MCP-04 Mcp-Name is not base64", without: [], headers: [["mcp-name", "=?base64?%%%?="]] },
      {
        title: "MCP-06 the version differs from the body",
        without: [],
        headers: [["mcp-protocol-version", "2025-11-25"]]
      }
    ] as const
  )("$title: 400 with -32020, and nothing runs", ({ headers, without }) =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const received = yield* host.send(Mcp.call("list", { token, headers, without }))
      assert.strictEqual(received.status, 400)
      assert.strictEqual(Mcp.answer(received).error?.code, -32020)
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("the body determines the required scopes, for any headers", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const lies = [
        [["mcp-name", "list"]],
        [["mcp-name", "whoami"]],
        [["mcp-method", "tools/list"], ["mcp-name", ""]],
        [["mcp-method", "ping"]],
        [["mcp-protocol-version", "2025-11-25"]]
      ] as const
      for (const headers of lies) {
        const received = yield* host.send(Mcp.call("add", { token, headers }))
        assert.include(namedScopes(received), "todos:write")
      }
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("a wrong header does not lead to another tool that the caller may call", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const received = yield* host.send(Mcp.call("list", { token, headers: [["mcp-name", "add"]] }))
      assert.strictEqual(Mcp.answer(received).error?.code, -32020)
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("MCP-04 the encoded form is only for the header: in the body it is an unknown name", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint()
      const encoded = Mcp.encodeName("hinzufügen")
      assert.strictEqual(encoded, "=?base64?aGluenVmw7xnZW4=?=")
      const literal = yield* host.send(Mcp.call(encoded, { token, headers: [["mcp-name", encoded]] }))
      assert.strictEqual(Mcp.answer(literal).error?.code, -32020)
      const real = yield* host.send(Mcp.call("hinzufügen", { token, headers: [["mcp-name", encoded]] }))
      assert.strictEqual(namedScopes(real), "todos:write")
      // A client may also encode a name that needs no encoding. The server decodes the header and compares it with the body.
      const plainly = yield* issuer.mint({ scopes: ["todos:read"] })
      const list = yield* host.send(
        Mcp.call("list", { token: plainly, headers: [["mcp-name", "=?base64?bGlzdA==?="]] })
      )
      assert.strictEqual(list.status, 200)
      assert.deepStrictEqual(ran(), ["list"])
    }))

  it.effect("MCP-06 without a version, on a server of this revision alone: 400 with -32020", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      const server = TodoServer.make()
      const host = yield* Host.web(
        McpAuth.layerHttp({
          ...server.options,
          protocols: [McpProtocol.v2026_07_28],
          registrations: Layer.mergeAll(server.registrations.protectedByScope, server.registrations.open)
        }).pipe(
          Layer.provide(TodoServer.auth(issuer.issuer)),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const without = yield* host.send(Mcp.call("list", { token, without: ["mcp-protocol-version"] }))
      assert.deepStrictEqual([without.status, Mcp.answer(without).error?.code], [400, -32020])
      // The gate determines the operation from the body, so it requires the scope even if the header is missing.
      const missing = yield* host.send(Mcp.call("add", { token, without: ["mcp-protocol-version"] }))
      assert.include(namedScopes(missing), "todos:write")
      assert.deepStrictEqual(server.ran, [])
    }))
})

layer(World.layer("web"), { excludeTestServices: true })("Hidden operations", (it) => {
  // The hidden and the unknown name have the same length, so that the responses can be compared byte by byte.
  it.effect.each([
    { title: "SCOPE-14 a tool", sent: tool, hidden: "purge", unknown: "qurge" },
    { title: "SCOPE-14 a resource", sent: read, hidden: "todo://audit", unknown: "todo://awdit" },
    { title: "SCOPE-14 a resource of a template", sent: read, hidden: "todo://secret/1", unknown: "todo://secrot/1" },
    { title: "SCOPE-14 a prompt", sent: prompt, hidden: "post_mortem", unknown: "post_martem" },
    {
      title: "SCOPE-14 the completion of a prompt",
      sent: completePrompt,
      hidden: "post_mortem",
      unknown: "post_martem"
    },
    {
      title: "SCOPE-14 the completion of a template",
      sent: completeTemplate,
      hidden: "todo://secret/{id}",
      unknown: "todo://secrot/{id}"
    }
  ])("$title gets the same response as one that does not exist", ({ hidden, sent, unknown }) =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.fresh
      const token = yield* issuer.mint({ scopes: ["todos:read", "todos:write"] })
      const answers = yield* Effect.forEach([hidden, unknown], (name) => host.send(sent(name)({ token })))
      const [first, second] = answers.map(({ body, ...rest }) => ({ ...rest, body: body.replaceAll(unknown, hidden) }))
      assert.deepStrictEqual(first, second)
      assert.isDefined(Mcp.answer(answers[0]!).error)
      assert.isUndefined(answers[0]!.headers["www-authenticate"])
      assert.deepStrictEqual(ran(), [])
      const admin = yield* issuer.mint({ scopes: ["todos:admin"] })
      assert.isDefined(Mcp.answer(yield* host.send(sent(hidden)({ token: admin }))).result)
      assert.strictEqual(ran().length, 1)
    }))

  it.effect("lists contain hidden operations only for callers with the scopes, and other operations for every caller", () =>
    Effect.gen(function*() {
      const { host, issuer } = yield* World.fresh
      const lists = {
        "tools/list": ["tools", "name", "purge", ["whoami", "list", "add", "hinzufügen", "alias_of_add"]],
        "resources/list": ["resources", "uri", "todo://audit", [
          "todo://settings",
          "todo://about",
          "todo://items/help"
        ]],
        "resources/templates/list": [
          "resourceTemplates",
          "uriTemplate",
          "todo://secret/{id}",
          ["todo://items/{id}", "note://{id}"]
        ],
        "prompts/list": ["prompts", "name", "post_mortem", ["plan", "hello"]]
      } as const
      const withoutScopes = yield* issuer.mint()
      const admin = yield* issuer.mint({ scopes: ["todos:admin"] })
      const session = yield* opening(withoutScopes, "2025-11-25")
      for (const [method, [member, key, hidden, always]] of Object.entries(lists)) {
        const names = (sent: Host.Sent): Effect.Effect<ReadonlyArray<string>> =>
          Effect.map(
            host.send(sent),
            (received) =>
              Mcp.answer(received).result[member].map((_: Readonly<Record<string, string>>) => _[key]).sort()
          )
        assert.deepStrictEqual(yield* names(Mcp.modern(method, {}, { token: withoutScopes })), [...always].sort())
        assert.deepStrictEqual(
          yield* names(Mcp.legacy(session, Mcp.message(method), { token: withoutScopes })),
          [...always].sort()
        )
        assert.deepStrictEqual(yield* names(Mcp.modern(method, {}, { token: admin })), [...always, hidden].sort())
      }
    }))
})

layer(World.layer("web"), { excludeTestServices: true })("Legacy batches", (it) => {
  const call = (name: string, id: number) => Mcp.message("tools/call", { name, arguments: {} }, id)

  const send = Effect.fnUntraced(
    function*(scopes: ReadonlyArray<string>, batch: ReadonlyArray<unknown>, version = "2025-03-26") {
      const { host, issuer } = yield* World.World
      const token = yield* issuer.mint({ scopes })
      const session = yield* opening(token, version)
      return yield* host.send(Mcp.legacy(session, batch, { token, version }))
    }
  )

  it.effect("SCOPE-10 a batch requires the union of scopes, and none of it runs without all", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      const received = yield* send(["todos:read"], [
        call("list", 1),
        call("whoami", 2),
        call("hinzufügen", 3),
        Mcp.message("resources/read", { uri: "todo://settings" }, 4)
      ])
      assert.strictEqual(namedScopes(received), "todos:read todos:write")
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("a batch with all scopes runs completely", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      const received = yield* send(["todos:read", "todos:write"], [call("list", 1), call("add", 2), call("whoami", 3)])
      assert.strictEqual(received.status, 200)
      const answers = Mcp.answer(received) as unknown as ReadonlyArray<Mcp.Answer>
      assert.deepStrictEqual(answers.map(({ id }) => id).sort(), [1, 2, 3])
      assert.deepStrictEqual([...ran()].sort(), ["add", "list", "whoami"])
    }))

  it.effect("the scopes of a notification in a batch count", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      const notification = Mcp.notification("tools/call", { name: "add", arguments: {} })
      assert.strictEqual(
        namedScopes(yield* send(["todos:read"], [call("list", 1), notification])),
        "todos:read todos:write"
      )
      assert.strictEqual(namedScopes(yield* send([], [notification])), "todos:read todos:write")
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("SCOPE-14 a hidden tool in a batch is an unknown one, and its scopes are not named", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      assert.strictEqual(namedScopes(yield* send([], [call("purge", 1), call("list", 2)])), "todos:read")
      assert.deepStrictEqual(ran(), [])
      const received = yield* send(["todos:read"], [call("purge", 1), call("list", 2)])
      const answers = Mcp.answer(received) as unknown as ReadonlyArray<Mcp.Answer>
      assert.deepStrictEqual(answers.filter(({ error }) => error !== undefined).map(({ id }) => id), [1])
      assert.deepStrictEqual(ran(), ["list"])
    }))

  it.effect("every spelling of a URI is checked before the rest of the batch runs", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      for (
        const uri of ["todo://items/1", "todo://items/1/", "todo://items//1", "todo:///items/1", "todo://items/1?x"]
      ) {
        const received = yield* send([], [call("whoami", 1), Mcp.message("resources/read", { uri }, 2)])
        if (received.status === 403) assert.deepStrictEqual(ran(), [], uri)
        else assert.deepStrictEqual(ran(), ["whoami"], uri)
      }
    }))

  it.effect("a message of the batch that claims another revision is checked as well", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      const claim = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" }
      const claiming = Mcp.message("tools/call", { name: "add", arguments: {}, _meta: claim }, 2)
      assert.strictEqual(
        namedScopes(yield* send(["todos:read"], [call("list", 1), claiming])),
        "todos:read todos:write"
      )
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("later revisions have no batches: the gate checks them, the server rejects them, and nothing runs", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      const batch = [call("list", 1), call("add", 2)]
      assert.strictEqual(namedScopes(yield* send(["todos:read"], batch, "2025-11-25")), "todos:read todos:write")
      const received = yield* send(["todos:read", "todos:write"], batch, "2025-11-25")
      assert.strictEqual(received.status, 400)
      assert.deepStrictEqual(ran(), [])
    }))

  it.effect("the server answers batches without operations", () =>
    Effect.gen(function*() {
      const { ran } = yield* World.fresh
      for (const batch of [[], [1, null, "a"], [[call("add", 1)]], [{ jsonrpc: "2.0", id: 1, result: {} }]]) {
        assert.isBelow((yield* send([], batch)).status, 500)
      }
      assert.deepStrictEqual(ran(), [])
    }))
})

describe("Policies of a whole server", () => {
  it.live("`unlisted: \"deny\"` rejects operations without scopes, and its challenge names none", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.make("web", { unlisted: "deny" })
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const rejected = [
        tool("whoami"),
        read("todo://about"),
        read("note://1"),
        prompt("hello"),
        tool("nope"),
        read("todo://nope"),
        tool("purge")
      ]
      for (const sent of rejected) {
        const received = yield* host.send(sent({ token }))
        assert.deepStrictEqual([received.status, received.headers["www-authenticate"]], [403, undefined])
        assert.strictEqual(JSON.parse(received.body).error, "access_denied")
      }
      assert.deepStrictEqual(ran(), [])
      for (const sent of [tool("list"), (options: Mcp.Options) => Mcp.modern("tools/list", {}, options)]) {
        assert.strictEqual((yield* host.send(sent({ token }))).status, 200)
      }
    }))

  it.live("a hierarchy applies to calls and to lists", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* World.make("web", {
        scopeHierarchy: { "todos:admin": ["todos:write"], "todos:write": ["todos:read"] }
      })
      const admin = yield* issuer.mint({ scopes: ["todos:admin"] })
      for (const name of ["list", "add", "purge"]) {
        assert.strictEqual((yield* host.send(tool(name)({ token: admin }))).status, 200)
      }
      assert.deepStrictEqual(ran(), ["list", "add", "purge"])
      const writer = yield* issuer.mint({ scopes: ["todos:write"] })
      assert.strictEqual((yield* host.send(tool("add")({ token: writer }))).status, 200)
      const reader = yield* issuer.mint({ scopes: ["todos:read"] })
      assert.strictEqual(namedScopes(yield* host.send(tool("add")({ token: reader }))), "todos:read todos:write")
    }))

  it.live.each(
    [
      { mode: "auto", modern: "todos:read todos:write", legacy: "todos:read todos:write todos:admin" },
      { mode: "required", modern: "todos:read todos:write", legacy: "todos:read todos:write" },
      {
        mode: "required-and-granted",
        modern: "todos:read todos:write todos:admin",
        legacy: "todos:read todos:write todos:admin"
      }
    ] as const
  )(
    "challengeScopes $mode: the challenge names $modern for new clients, and $legacy for old ones",
    ({ legacy, mode, modern }) =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.make("web", { challengeScopes: mode })
        const token = yield* issuer.mint({ scopes: ["todos:admin", "openid"] })
        assert.strictEqual(namedScopes(yield* host.send(tool("add")({ token }))), modern)
        const { headers } = yield* host.send(Mcp.initialize("2025-11-25", { token }))
        const call = Mcp.message("tools/call", { name: "add", arguments: {} })
        assert.strictEqual(
          namedScopes(yield* host.send(Mcp.legacy(headers["mcp-session-id"]!, call, { token }))),
          legacy
        )
      })
  )

  it.live("SCOPE-17 a claim that is a string is one value, never a list of letters", () =>
    Effect.gen(function*() {
      const Letter = requireScopes("t")(Tool.make("letter"))
      const Tools = Toolkit.make(Letter)
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      const host = yield* Host.web(
        McpAuth.layerHttp({
          ...TodoServer.make().options,
          protocols: TodoServer.protocols,
          registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(Tools.toLayer({ letter: () => Effect.void })))
        }).pipe(
          Layer.provide(
            authLayer({ resource: TodoServer.resource, authorizationServers: [issuer.issuer], scopes: ["t"] })
          ),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      for (
        const claims of [{ scope: "todos" }, { scope: undefined, scp: "todos" }, { scope: undefined, scp: ["todos"] }]
      ) {
        const token = yield* issuer.mint({ claims })
        assert.strictEqual(namedScopes(yield* host.send(Mcp.call("letter", { token }))), "t")
      }
    }))

  it.live("scopes are read at the time of the call: a tool that is registered later is guarded, too", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      let registered: McpServer.McpServer["Service"] | undefined
      const ran: Array<string> = []
      const host = yield* Host.web(
        McpAuth.layerHttp({
          ...TodoServer.make().options,
          protocols: TodoServer.protocols,
          registrations: Layer.effectDiscard(Effect.map(McpServer.McpServer, (server) => {
            registered = server
          }))
        }).pipe(
          Layer.provide(TodoServer.auth(issuer.issuer)),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      assert.isDefined(Mcp.answer(yield* host.send(Mcp.call("late", { token }))).error)
      const add = (scopes: ReadonlyArray<string>) =>
        registered!.addTool({
          tool: new McpSchema.Tool({ name: "late", inputSchema: { type: "object", properties: {} } }),
          annotations: Context.make(Policy.RequiredScopes, scopes) as Context.Context<never>,
          handle: () =>
            Effect.sync(() => {
              ran.push(scopes.join(" "))
              return new McpSchema.CallToolResult({ content: [] })
            })
        })
      yield* add(["todos:admin"])
      assert.strictEqual(namedScopes(yield* host.send(Mcp.call("late", { token }))), "todos:admin")
      // A tool that is registered again replaces the first one, and its scopes replace the earlier scopes.
      yield* add(["todos:read"])
      assert.strictEqual((yield* host.send(Mcp.call("late", { token }))).status, 200)
      // The configuration does not offer this scope, so no token can have it: every call is rejected.
      yield* add(["not:offered"])
      assert.strictEqual(namedScopes(yield* host.send(Mcp.call("late", { token }))), "not:offered")
      assert.deepStrictEqual(ran, ["todos:read"])
    }))

  it.live("a scope that the configuration does not offer fails the layer, if the compiler did not reject it", () =>
    Effect.gen(function*() {
      const Tools = Toolkit.make(requireScopes("todos:other")(Tool.make("other")))
      const app = McpAuth.layerHttp({
        ...TodoServer.make().options,
        protocols: TodoServer.protocols,
        registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(Tools.toLayer({ other: () => Effect.void })))
      }).pipe(
        Layer.provide(TodoServer.auth("https://issuer.test")),
        Layer.provide(Layer.effect(HttpClient.HttpClient, Effect.map(TestIssuer.make(), ({ client }) => client)))
      )
      const exit = yield* Effect.exit(Host.web(app as never))
      assert.isTrue(Exit.isFailure(exit))
      const error = yield* Effect.flip(exit as Exit.Exit<never, AuthError.AuthConfigError>)
      assert.deepStrictEqual([error.reason, error.option], ["not-offered", "scopes"])
      assert.include(error.fix, "todos:other")
      assert.include(error.fix, "other")
    }))

  it.live("the gate protects a router with a prefix", () =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      const server = TodoServer.make()
      const prefixed = Layer.effect(
        HttpRouter.HttpRouter,
        Effect.map(HttpRouter.HttpRouter, (router) => router.prefixed("/api"))
      )
      const host = yield* Host.web(
        server.layer.pipe(
          Layer.provide(prefixed),
          Layer.provide(TodoServer.auth(issuer.issuer)),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        )
      )
      const path = "/api/mcp"
      assert.strictEqual((yield* host.send(Mcp.call("list", { path }))).status, 401)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      assert.strictEqual(namedScopes(yield* host.send(Mcp.call("add", { path, token }))), "todos:read todos:write")
      assert.strictEqual((yield* host.send(Mcp.call("list", { path, token }))).status, 200)
      assert.deepStrictEqual(server.ran, ["list"])
      assert.strictEqual((yield* host.send(Mcp.call("list", { token }))).status, 404)
    }).pipe(Effect.provide(Logger.layer([]))))
})
