import { McpAuthNode } from "effect-mcp-auth/node"
import express from "express"

const [issuer, resource] = process.argv.slice(2)
const auth = await McpAuthNode.make({ resource, authorizationServers: [issuer], scopes: ["todos:read"] })

const app = express()
app.get("/mcp", auth.protectRoute({ scopes: ["todos:read"] }), (_, response) => void response.send("in"))
const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port))
