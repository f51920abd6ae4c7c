import { McpAuthNode } from "effect-mcp-auth/node"
import { createServer } from "node:http"

const [issuer, resource] = process.argv.slice(2)
const auth = await McpAuthNode.make({ resource, authorizationServers: [issuer], scopes: ["todos:read"] })
const protect = auth.protectRoute({ scopes: ["todos:read"] })

const server = createServer((request, response) => void protect(request, response, () => response.end("in")))
server.listen(0, "127.0.0.1", () => process.send(server.address().port))
