/** The peers, each set up as its documentation describes. Their packages are those of this folder. */
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js"
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js"
import express from "express"
import { createRemoteJWKSet, errors, jwtVerify } from "jose"
import { MCPAuth } from "mcp-auth"

const listen = (app) =>
  new Promise((resolve) => {
    app.get("/mcp", (_, response) => response.send("in"))
    // Express prints what handlers throw; the table names it instead.
    app.use((error, _request, response, _next) => response.status(500).end())
    const server = app.listen(0, "127.0.0.1", () =>
      resolve({
        url: `http://127.0.0.1:${server.address().port}/mcp`,
        close: () => {
          server.closeAllConnections()
          server.close()
        }
      }))
  })

export const mcpAuth = (issuer, resource) => {
  const auth = new MCPAuth({
    protectedResources: [{
      metadata: { resource, authorizationServers: [{ issuer, type: "oauth" }], scopesSupported: ["todos:read"] }
    }]
  })
  const app = express()
  app.use(auth.bearerAuth("jwt", { resource, audience: resource, requiredScopes: ["todos:read"] }))
  return listen(app)
}

export const sdk = (issuer, resource) => {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
  const verifier = {
    verifyAccessToken: async (token) => {
      try {
        const { payload } = await jwtVerify(token, keys, { issuer, audience: resource, typ: "at+jwt" })
        return { token, clientId: payload.client_id, scopes: payload.scope.split(" "), expiresAt: payload.exp }
      } catch (error) {
        // As in the SDK's examples: an error of jose about the token means an invalid token, any other error a failure.
        if (error instanceof errors.JOSEError) throw new InvalidTokenError("invalid token")
        throw error
      }
    }
  }
  const app = express()
  app.use(requireBearerAuth({ verifier, requiredScopes: ["todos:read"] }))
  return listen(app)
}
