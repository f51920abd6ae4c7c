/** The todo manager on Hono, with the SDK's web-standard transport. The same code runs on Bun, Deno and Workers. */
import { getRequestListener } from "@hono/node-server"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { Hono } from "hono"
import type { RequestListener } from "node:http"
import * as Serving from "../../shared/Serving.ts"
import { makeAuth, makeServer } from "../sdk-v1/Todos.ts"

export const serve: Serving.ListenerOptions["serve"] = async (identity, logging) => {
  const auth = await makeAuth(identity, logging)
  const mcp = auth.protectFetch(makeServer(auth), async (request, options) => {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    const server = makeServer(auth)
    // A cast, because the SDK's types contradict each other under `exactOptionalPropertyTypes`.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    return transport.handleRequest(request, options)
  })
  const app = new Hono()
  app.use(async (c, next) => await auth.metadata(c.req.raw) ?? await next())
  app.all(Serving.path, (c) => mcp(c))
  return { listener: getRequestListener(app.fetch) as RequestListener, dispose: auth.dispose }
}
