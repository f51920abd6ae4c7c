import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { createRemoteJWKSet, jwtVerify } from "jose"

const [issuer, resource] = process.argv.slice(2)
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))

const app = new Hono()
app.get("/mcp", async (c) => {
  const token = c.req.header("authorization")?.slice("Bearer ".length) ?? ""
  const { payload } = await jwtVerify(token, keys, { issuer, audience: resource, typ: "at+jwt" })
  return payload.scope.split(" ").includes("todos:read") ? c.text("in") : c.body(null, 403)
})
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => process.send(port))
