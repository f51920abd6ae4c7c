/** One of several instances of the todo manager on `@modelcontextprotocol/server`. */
import { getRequestListener } from "@hono/node-server"
import { isInitializeRequest, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server"
import { Effect, Exit, Scope } from "effect"
import type { RequestListener } from "node:http"
import * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import { makeAuth, makeServer } from "../sdk-v2/TodoManager.ts"
import * as Shared from "./Shared.ts"

const serve: Serving.ListenerOptions["serve"] = async (identity, logging) => {
  const scope = Scope.makeUnsafe()
  const { gate, signOut, todos } = await Effect.runPromise(Scope.provide(Shared.connect, scope))
  const auth = await makeAuth(identity, logging, todos, gate)
  const make = () => {
    const server = makeServer(auth)
    auth.registerTool(
      server,
      "sign_out",
      { description: "Signs you out, and ends your sessions" },
      ({ principal }) => Effect.as(signOut(principal), { content: [] })
    )
    return server
  }

  /** The transports of the sessions that this instance opened. */
  const opened = new Map<string, WebStandardStreamableHTTPServerTransport>()
  const handle = auth.protectFetch(make(), async (request, given) => {
    const known = opened.get(request.headers.get("mcp-session-id") ?? "")
    if (known !== undefined) return known.handleRequest(request, given)
    // The gate has checked that the session belongs to the caller. If another instance opened it, this transport serves the request
    // without a session.
    const transport: WebStandardStreamableHTTPServerTransport = new WebStandardStreamableHTTPServerTransport({
      enableJsonResponse: true,
      ...(isInitializeRequest(given.parsedBody)
        ? {
          sessionIdGenerator: () => crypto.randomUUID(),
          onsessioninitialized: (id: string) => void opened.set(id, transport),
          onsessionclosed: (id: string) => void opened.delete(id)
        }
        : {})
    })
    await make().connect(transport)
    return transport.handleRequest(request, given)
  })
  const listener = getRequestListener(async (request) => await auth.metadata(request) ?? await handle(request))
  const dispose = async () => {
    await auth.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return { listener: listener as RequestListener, dispose }
}

Serving.runListener({ scopes, serve })
