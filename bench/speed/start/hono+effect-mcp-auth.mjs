import { serve } from "@hono/node-server"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { Hono } from "hono"

const [issuer, resource] = process.argv.slice(2)
const auth = await McpAuthFetch.make({ resource, authorizationServers: [issuer], scopes: ["todos:read"] })
const route = auth.protectRoute(() => new Response("in"), { scopes: ["todos:read"] })

const app = new Hono()
app.get("/mcp", (c) => route(c.req.raw))
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => process.send(port))
