import express from "express"
import { MCPAuth } from "mcp-auth"

const [issuer, resource] = process.argv.slice(2)
const auth = new MCPAuth({
  protectedResources: [{
    metadata: { resource, authorizationServers: [{ issuer, type: "oauth" }], scopesSupported: ["todos:read"] }
  }]
})

const app = express()
app.get(
  "/mcp",
  auth.bearerAuth("jwt", { resource, audience: resource, requiredScopes: ["todos:read"] }),
  (_, response) => void response.send("in")
)
const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port))
