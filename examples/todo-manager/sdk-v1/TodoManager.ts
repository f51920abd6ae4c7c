/** The todo manager on `@modelcontextprotocol/sdk` and Express. */
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import express from "express"
import * as Serving from "../../shared/Serving.ts"
import { makeAuth, makeServer } from "./Todos.ts"

export const serve: Serving.ListenerOptions["serve"] = async (identity, logging) => {
  const auth = await makeAuth(identity, logging)
  const app = express()
  app.use(auth.metadataRouter())
  app.all(Serving.path, auth.protect(makeServer(auth)), async (req, res) => {
    const server = makeServer(auth)
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    res.on("close", () => void server.close())
    // A cast, because the SDK's types contradict each other under `exactOptionalPropertyTypes`.
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(req, res, req.body)
  })
  return { listener: app, dispose: auth.dispose }
}
