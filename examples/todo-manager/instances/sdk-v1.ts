/** One of several instances of the todo manager on `@modelcontextprotocol/sdk` and Express. */
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Scope } from "effect"
import express from "express"
import * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import { makeAuth, makeServer } from "../sdk-v1/Todos.ts"
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
  const opened = new Map<string, StreamableHTTPServerTransport>()
  const app = express()
  app.use(auth.metadataRouter())
  app.all(Serving.path, auth.protect(make()), async (req, res) => {
    const known = opened.get(String(req.headers["mcp-session-id"]))
    if (known !== undefined) return known.handleRequest(req, res, req.body)
    // The gate has checked that the session belongs to the caller. If another instance opened it, this transport serves the request
    // without a session.
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      enableJsonResponse: true,
      ...(isInitializeRequest(req.body)
        ? {
          sessionIdGenerator: () => crypto.randomUUID(),
          onsessioninitialized: (id: string) => void opened.set(id, transport),
          onsessionclosed: (id: string) => void opened.delete(id)
        }
        : {})
    })
    const server = make()
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(req, res, req.body)
  })
  const dispose = async () => {
    await auth.dispose()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return { listener: app, dispose }
}

Serving.runListener({ scopes, serve })
