/** The hosts with requests of Node, with one authorization server in memory. */
import { NodeHttpServer } from "@effect/platform-node"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Headers, HttpClient, HttpRouter, HttpServer, HttpServerRequest } from "effect/http"
import type { RequestListener } from "node:http"
import { fetcherWith } from "../gates.ts"
import * as TodoServer from "../TodoServer.ts"

const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource: TodoServer.resource }))
/** Mints a token. Default: with the scope of the server. */
export const mint = (scopes: ReadonlyArray<string> = ["todos:read"]) =>
  Effect.runPromise(issuer.mint({ scopes: [...scopes] }))

const settings = { allowedOrigins: ["https://app.test"], allowedHosts: ["server.test", "public.test"] }
/** The options of the gates. */
export const options = {
  ...settings,
  resource: TodoServer.resource,
  authorizationServers: [issuer.issuer] as const,
  scopes: ["todos:read"] as const,
  layer: fetcherWith(client)
}

/** A server behind a gate. */
export interface Made {
  readonly listener: RequestListener
  /** Sets the changes of a middleware of the framework, which sees a copy of the headers. Default: there is none. */
  readonly setMiddleware?: (change: (request: { readonly headers: Record<string, unknown> }) => void) => void
  readonly dispose: () => Promise<void>
}

/** The hosts with requests of Node. Each answers 200 to an admitted request. */
export const hosts: ReadonlyArray<readonly [name: string, make: () => Promise<Made>]> = [
  ["node", async () => {
    const auth = await McpAuthNode.make(options)
    const guard = auth.protect()
    return { listener: (req, res) => void guard(req, res, () => res.end("admitted")), dispose: auth.dispose }
  }],
  ["SDK v1", async () => {
    const auth = await McpAuthSdk.make(options)
    const guard = auth.protect(new McpServer({ name: "todos", version: "1.0.0" }))
    return { listener: (req, res) => void guard(req, res, () => res.end("admitted")), dispose: auth.dispose }
  }],
  ["Effect", () => makeEffect()]
]

/** The server of Effect behind a middleware of Effect that changes headers. */
export const effectMiddleware: readonly [name: string, make: () => Promise<Made>] = [
  "Effect, in a middleware of Effect",
  async () => {
    let change: Parameters<NonNullable<Made["setMiddleware"]>>[0] = () => {}
    const made = await makeEffect((request) => {
      const changed = { headers: { ...request.headers } as Record<string, unknown> }
      change(changed)
      return request.modify({ headers: Headers.fromInput(changed.headers as Headers.Input) })
    })
    return { ...made, setMiddleware: (given) => void (change = given) }
  }
]

async function makeEffect(
  modify: (request: HttpServerRequest.HttpServerRequest) => HttpServerRequest.HttpServerRequest = (request) => request
): Promise<Made> {
  const scope = Scope.makeUnsafe()
  const app = TodoServer.make().layer.pipe(
    Layer.provide(TodoServer.auth(issuer.issuer, settings)),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  )
  const listener = await Effect.runPromise(
    Effect.gen(function*() {
      const http = yield* HttpRouter.toHttpEffect(app as Layer.Layer<any>)
      const modified = Effect.updateService(http as Effect.Effect<never>, HttpServerRequest.HttpServerRequest, modify)
      return yield* NodeHttpServer.makeHandler(modified as Effect.Effect<never>, { scope })
    }).pipe(
      Effect.provide(HttpServer.layerServices),
      Effect.provide(Logger.layer([])),
      Scope.provide(scope)
    )
  )
  return { listener: listener as RequestListener, dispose: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
