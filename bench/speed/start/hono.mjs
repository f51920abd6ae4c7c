import { serve } from "@hono/node-server"
import { Hono } from "hono"

const app = new Hono()
app.get("/mcp", (c) => c.text("in"))
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => process.send(port))
