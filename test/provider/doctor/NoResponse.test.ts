/** Tests that a request without a response shows nothing about a server: no rule passes or fails because of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { IncomingMessage } from "node:http"
import { getFinding, getVerdict, handleMcp, runDoctor, serve } from "./servers.ts"

/** Starts a server that requires a token, and closes the connection for some of the requests. */
const start = (isDropped: (request: IncomingMessage, body: unknown) => boolean) =>
  serve((app, origin) => {
    app.get("/.well-known/oauth-protected-resource/mcp", (request, response) =>
      isDropped(request, undefined)
        ? void request.socket.destroy()
        : void response.json({ resource: `${origin}/mcp`, authorization_servers: [] }))
    app.use("/mcp", (request, response, next) => {
      if (isDropped(request, request.body)) return void request.socket.destroy()
      return request.headers.authorization === "Bearer valid" || request.headers["mcp-session-id"] !== undefined
        ? next()
        : void response.status(401).setHeader("www-authenticate", "Bearer").end()
    }, handleMcp([], { sessions: true }))
  })

describe("a server that closes the connection", () => {
  it.live.each<readonly [string, (request: IncomingMessage, body: unknown) => boolean, ReadonlyArray<string>]>([
    [
      "of requests with an invalid token",
      ({ headers }) => headers.authorization !== undefined && headers.authorization !== "Bearer valid",
      ["rejects-invalid-token", "rejects-forged-token", "malformed-credentials", "error-hygiene"]
    ],
    ["of GET and DELETE", ({ method }) => method === "GET" || method === "DELETE", ["rejects-every-method"]],
    ["of batches", (_, body) => Array.isArray(body), ["batch-bypass"]],
    [
      "of requests of browsers",
      ({ headers }) => headers.origin !== undefined,
      ["cors-preflight", "cors-challenge", "cors-resource-metadata"]
    ],
    [
      "of requests with a session id alone",
      ({ headers }) => headers["mcp-session-id"] !== undefined && headers.authorization === undefined,
      ["session-binding"]
    ]
  ])("%s leaves the rules for them inconclusive", ([, isDropped, rules]) =>
    Effect.gen(function*() {
      const origin = yield* start(isDropped)
      const report = yield* runDoctor(`${origin}/mcp`, { token: Redacted.make("valid") })
      assert.deepStrictEqual(
        rules.map((rule) => [rule, getVerdict(report, rule)]),
        rules.map((rule) => [rule, "inconclusive"])
      )
      for (const rule of rules) assert.include(getFinding(report, rule).why, "closes the connection")
    }))
})
