/** Tests that the doctor runs no tool, and what it learns without one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Rule } from "effect-mcp-auth/provider"
import type { RequestListener } from "node:http"
import { getFailures, getFinding, getVerdict, runDoctor, serveRaw } from "./servers.ts"

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly params?: { readonly name?: string }
}

/** The requests and the tools that a server has run. */
interface Log {
  readonly methods: Array<string>
  readonly called: Array<string>
  readonly ran: Array<string>
}

type Decide = (
  message: Message,
  token: string | undefined,
  isBatch: boolean
) => { readonly status: number; readonly challenge: string } | undefined

/**
 * A lenient server: it accepts every revision, every message of a batch and every token, ignores the arguments of tools, and
 * runs a tool if any name of a tool is in the message. `decide` can reject a message.
 */
const makeLenient =
  (log: Log, decide: Decide = () => undefined): (origin: string) => RequestListener =>
  (origin) =>
  (request, response) => {
    const tools = ["list_todos", "delete_all_todos"]
    const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      if (request.url?.startsWith("/.well-known/oauth-protected-resource") === true) {
        return json(200, { resource: `${origin}/mcp`, authorization_servers: [] })
      }
      if (request.method !== "POST") return json(405, {})
      const text = Buffer.concat(chunks).toString("utf8")
      const body = JSON.parse(text) as Message | ReadonlyArray<Message>
      const messages = Array.isArray(body) ? body as ReadonlyArray<Message> : [body as Message]
      const token = request.headers.authorization?.replace("Bearer ", "")
      const rejection = messages.map((message) => decide(message, token, Array.isArray(body))).find((_) =>
        _ !== undefined
      )
      if (rejection !== undefined) return json(rejection.status, {}, { "www-authenticate": rejection.challenge })
      const replies = messages.map(({ id, method, params }) => {
        log.methods.push(method ?? "")
        if (method === "tools/call") log.called.push(params?.name ?? "")
        for (const tool of tools) if (text.includes(tool)) log.ran.push(tool)
        const result = method === "initialize"
          ? { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "lenient", version: "1" } }
          : method === "tools/list"
          ? { tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })) }
          : { content: [] }
        return { jsonrpc: "2.0", id, result }
      })
      return json(200, Array.isArray(body) ? replies : replies[0])
    })
  }

const makeLog = (): Log => ({ methods: [], called: [], ran: [] })

describe("a lenient server", () => {
  it.live.each(Rule.revisions)("runs no tool for the doctor, MCP %s", (revision) =>
    Effect.gen(function*() {
      const log = makeLog()
      const origin = yield* serveRaw(makeLenient(log))
      const token = Redacted.make("opaque-token")
      for (const options of [{}, { token }, { foreignToken: token }, { token, foreignToken: token }]) {
        const report = yield* runDoctor(`${origin}/mcp`, { ...options, revision })
        assert.strictEqual(report.outcome, "fail")
      }
      assert.include(log.methods, "tools/list")
      assert.deepStrictEqual([...new Set(log.called)], ["effect-mcp-auth-doctor-unknown-tool"])
      assert.deepStrictEqual(log.ran, [])
    }))

  it.live("runs no tool for the doctor if it requires a token, and fails if it accepts a foreign opaque token", () =>
    Effect.gen(function*() {
      const log = makeLog()
      const decide: Decide = (_, token) =>
        token === "opaque-token" ? undefined : { status: 401, challenge: "Bearer scope=\"a\"" }
      const origin = yield* serveRaw(makeLenient(log, decide))
      const token = Redacted.make("opaque-token")
      const own = yield* runDoctor(`${origin}/mcp`, { token })
      assert.strictEqual(getVerdict(own, "rejects-foreign-token"), "inconclusive")
      assert.include(getFinding(own, "rejects-foreign-token").why, "opaque")
      assert.strictEqual(getVerdict(own, "accepts-token"), "pass")
      assert.strictEqual(getVerdict(own, "step-up"), "skipped")
      const foreign = yield* runDoctor(`${origin}/mcp`, { foreignToken: token })
      assert.include(getFailures(foreign, "MUST"), "rejects-foreign-token")
      assert.deepStrictEqual(log.ran, [])
    }))

  const scope = "Bearer error=\"insufficient_scope\", scope=\"a b\", resource_metadata=\"https://s.test/m\""

  it.live.each(
    [
      [scope, "pass", /resources\/list requires a b/],
      [
        "Bearer error=\"insufficient_scope\"",
        "fail",
        /403 without error, scope or resource_metadata for resources\/list/
      ]
    ] as const
  )(
    "shows its step-up authorization by a list that requires more scopes: %s",
    ([challenge, verdict, why]) =>
      Effect.gen(function*() {
        const decide: Decide = ({ method }, token) =>
          token !== "t"
            ? { status: 401, challenge: "Bearer scope=\"a\"" }
            : method === "resources/list"
            ? { status: 403, challenge }
            : undefined
        const origin = yield* serveRaw(makeLenient(makeLog(), decide))
        const report = yield* runDoctor(`${origin}/mcp`, { token: Redacted.make("t") })
        assert.strictEqual(getVerdict(report, "step-up"), verdict)
        assert.match(getFinding(report, "step-up").why, why)
        assert.strictEqual(getVerdict(report, "batch-bypass"), "pass")
      })
  )

  it.live("fails if it checks only the first message of a batch", () =>
    Effect.gen(function*() {
      const decide: Decide = ({ id, method }, token) =>
        token !== "t"
          ? { status: 401, challenge: "Bearer scope=\"a\"" }
          : method === "resources/list" && id === 1
          ? { status: 403, challenge: scope }
          : undefined
      const origin = yield* serveRaw(makeLenient(makeLog(), decide))
      const report = yield* runDoctor(`${origin}/mcp`, { token: Redacted.make("t") })
      assert.include(getFailures(report, "MUST"), "batch-bypass")
    }))

  it.live("fails if it accepts a batch without a token", () =>
    Effect.gen(function*() {
      const decide: Decide = (_, token, isBatch) =>
        token === undefined && !isBatch ? { status: 401, challenge: "Bearer scope=\"a\"" } : undefined
      const origin = yield* serveRaw(makeLenient(makeLog(), decide))
      const report = yield* runDoctor(`${origin}/mcp`)
      assert.strictEqual(getVerdict(report, "batch-bypass"), "fail")
    }))
})
