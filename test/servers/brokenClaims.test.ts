import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, References, Schema } from "effect"
import { Decision } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { authLayer, withFetcher } from "./gates.ts"
import { listen } from "./sdk/listen.ts"

class Since extends Context.Service<Since, { readonly since: Date }>()("test/Since") {}

const resource = "https://server.test/mcp"

const thrown = (): boolean => {
  throw new Error("the schema broke\n[12:00:00] INFO: request admitted")
}

/**
 * Options whose schema of claims calls `again` at the second decoding. The decoded claims contain a `Date`, which cannot be frozen,
 * so they are not cached and each request decodes them.
 */
const options = (issuer: string, again: () => boolean) => {
  let count = 0
  const breaks = Schema.makeFilter<{ readonly since: Date }>(() => ++count > 1 ? again() : true)
  return {
    resource,
    authorizationServers: [issuer],
    scopes: ["todos:read"],
    claims: {
      service: Since,
      decode: Schema.decodeUnknownResult(Schema.Struct({ since: Schema.DateFromMillis }).check(breaks))
    }
  } as const
}

/** The options, a request with a good token, and lists of the decisions and log lines that it causes. */
const world = Effect.fnUntraced(function*(again: () => boolean) {
  const { client, issuer } = yield* TestIssuer.make({ resource })
  const decisions: Array<Decision.Decision> = []
  const lines: Array<string> = []
  const provided = Layer.mergeAll(
    Layer.succeed(HttpClient.HttpClient, client),
    Layer.succeed(Decision.DecisionListener, (_) => Effect.sync(() => void decisions.push(_))),
    Logger.layer([Logger.map(Logger.formatLogFmt, (line) => void lines.push(line))]),
    Layer.succeed(References.MinimumLogLevel, "Info")
  )
  const request = Effect.map(
    issuer.mint({ scopes: ["todos:read"], claims: { since: 1000 } }),
    (token) =>
      new Request(resource, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
      })
  )
  return { options: options(issuer.issuer, again), provided, decisions, lines, request }
})

type World = Effect.Success<ReturnType<typeof world>>

const hosts: ReadonlyArray<
  readonly [string, (world: World) => Effect.Effect<(request: Request) => Promise<Response>, unknown, any>]
> = [
  ["a route of Effect", ({ options, provided }) =>
    Effect.sync(() => {
      const routes = HttpRouter.add("POST", "/mcp", HttpServerResponse.text("ran")).pipe(
        Layer.provide(authLayer(options))
      )
      const { handler } = HttpRouter.toWebHandler(
        routes.pipe(Layer.provideMerge(provided), Layer.provideMerge(HttpServer.layerServices)) as never,
        { disableLogger: true }
      )
      return handler as (request: Request) => Promise<Response>
    })],
  ["fetch", ({ options, provided }) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => McpAuthFetch.make({ ...options, layer: withFetcher(provided) })),
        (auth) => Effect.promise(() => auth.dispose())
      ),
      (auth) => auth.protect(() => new Response("ran"))
    )],
  ["node:http", ({ options, provided }) =>
    Effect.gen(function*() {
      const auth = yield* Effect.acquireRelease(
        Effect.promise(() => McpAuthNode.make({ ...options, layer: withFetcher(provided) })),
        (auth) => Effect.promise(() => auth.dispose())
      )
      const protect = auth.protect()
      const origin = yield* listen(() => Effect.succeed((req, res) => void protect(req, res, () => res.end("ran"))))
      return async (request: Request) =>
        fetch(`${origin}/mcp`, { method: "POST", headers: request.headers, body: await request.text() })
    })]
]

describe.each(hosts)("claims that break when a request decodes them again, %s", (_, start) => {
  it.live("[T-AUD-22b] are the same 500 as other internal failures, reported and logged with one line", () =>
    Effect.gen(function*() {
      const made = yield* world(thrown)
      const send = yield* start(made) as Effect.Effect<(request: Request) => Promise<Response>>
      const request = yield* made.request
      const response = yield* Effect.promise(() => send(request))
      assert.deepStrictEqual([response.status, yield* Effect.promise(() => response.json())], [500, {
        error: "server_error",
        error_description: "The server cannot check access tokens because of an internal error"
      }])
      assert.deepStrictEqual(
        made.decisions.filter(({ outcome }) => outcome === "rejected").map(({ reason, status }) => [reason, status]),
        [["broken", 500]]
      )
      assert.lengthOf(made.lines, 1)
      assert.include(made.lines[0], "request rejected with 500: broken")
      assert.include(made.lines[0], "the schema broke")
    }))

  it.live("are a 401 if the schema then rejects them, as if it had rejected them at first", () =>
    Effect.gen(function*() {
      const made = yield* world(() => false)
      const send = yield* start(made) as Effect.Effect<(request: Request) => Promise<Response>>
      const request = yield* made.request
      const response = yield* Effect.promise(() => send(request))
      assert.strictEqual(response.status, 401)
      assert.include(response.headers.get("www-authenticate"), "error=\"invalid_token\"")
      assert.deepStrictEqual(
        made.decisions.filter(({ outcome }) => outcome === "rejected").map(({ reason, status }) => [reason, status]),
        [["claims", 401]]
      )
    }))
})
