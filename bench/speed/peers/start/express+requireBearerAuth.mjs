import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js"
import express from "express"
import { createRemoteJWKSet, jwtVerify } from "jose"

const [issuer, resource] = process.argv.slice(2)
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
const verifier = {
  verifyAccessToken: async (token) => {
    const { payload } = await jwtVerify(token, keys, { issuer, audience: resource, typ: "at+jwt" })
    return { token, clientId: payload.client_id, scopes: payload.scope.split(" "), expiresAt: payload.exp }
  }
}

const app = express()
app.get(
  "/mcp",
  requireBearerAuth({ verifier, requiredScopes: ["todos:read"] }),
  (_, response) => void response.send("in")
)
const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port))
