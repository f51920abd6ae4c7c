/**
 * The peers' servers, each set up as its documentation describes. Their packages are those of this folder, and each contender
 * loads only its own.
 */
import { createServer } from "node:http"

const onExpress = async (...middleware) => {
  const { default: express } = await import("express")
  const app = express()
  app.get("/mcp", ...middleware, (_, response) => void response.send("in"))
  // Express prints what handlers throw.
  app.use((error, _request, response, _next) => void response.status(error.status ?? 500).end())
  return createServer(app)
}

const mcpAuthOf = async (issuer, resource) => {
  const { MCPAuth } = await import("mcp-auth")
  return new MCPAuth({
    protectedResources: [{
      metadata: { resource, authorizationServers: [{ issuer, type: "oauth" }], scopesSupported: ["todos:read"] }
    }]
  }).bearerAuth("jwt", { resource, audience: resource, requiredScopes: ["todos:read"] })
}

const sdkOf = async (issuer, resource) => {
  const { InvalidTokenError } = await import("@modelcontextprotocol/sdk/server/auth/errors.js")
  const { requireBearerAuth } = await import("@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js")
  const { createRemoteJWKSet, errors, jwtVerify } = await import("jose")
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
  return requireBearerAuth({ verifier, requiredScopes: ["todos:read"] })
}

const onFastify = async (cache, issuer, resource) => {
  const { default: Fastify } = await import("fastify")
  const { default: fastifyJwt } = await import("@fastify/jwt")
  const { default: buildGetJwks } = await import("get-jwks")
  const app = Fastify()
  const jwks = buildGetJwks({ issuersWhitelist: [issuer], jwksPath: "/jwks" })
  await app.register(fastifyJwt, {
    decode: { complete: true },
    secret: (_request, { header: { alg, kid }, payload: { iss } }, callback) => {
      jwks.getPublicKey({ alg, kid, domain: iss }).then((key) => callback(null, key), callback)
    },
    verify: { allowedIss: issuer, allowedAud: resource, cache }
  })
  app.addHook("onRequest", (request) => request.jwtVerify())
  app.get("/mcp", async () => "in")
  await app.ready()
  return app.server
}

const onHono = async (options) => {
  const { getRequestListener } = await import("@hono/node-server")
  const { Hono } = await import("hono")
  const { jwk } = await import("hono/jwk")
  const app = new Hono()
  app.use("/mcp", jwk({ alg: ["RS256"], ...options }))
  app.get("/mcp", (c) => c.text("in"))
  return createServer(getRequestListener(app.fetch))
}

/** One tool on the SDK, with one server per request, as in the SDK's stateless example. */
const tools = async (...middleware) => {
  const { default: express } = await import("express")
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js")
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js")
  const { z } = await import("zod")
  const app = express()
  app.use(express.json())
  app.post("/mcp", ...middleware, async (request, response) => {
    const server = new McpServer({ name: "todos", version: "1.0.0" })
    server.registerTool(
      "add_todo",
      { description: "Adds a todo", inputSchema: { title: z.string() } },
      ({ title }) => ({
        content: [{ type: "text", text: `added ${title}` }]
      })
    )
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    response.on("close", () => void server.close())
    await server.connect(transport)
    await transport.handleRequest(request, response, request.body)
  })
  return createServer(app)
}

/** Each returns a server that does not listen yet. */
export const servers = {
  "express": () => onExpress(),
  "express + mcp-auth": async (issuer, resource) => onExpress(await mcpAuthOf(issuer, resource)),
  "express + SDK + jose": async (issuer, resource) => onExpress(await sdkOf(issuer, resource)),
  "express + express-oauth2-jwt-bearer": async (issuer, resource) => {
    const { auth } = await import("express-oauth2-jwt-bearer")
    return onExpress(auth({ issuer, jwksUri: `${issuer}/jwks`, audience: resource, tokenSigningAlg: "RS256" }))
  },
  "fastify + @fastify/jwt": (issuer, resource) => onFastify(false, issuer, resource),
  "fastify + @fastify/jwt, cache on": (issuer, resource) => onFastify(true, issuer, resource),
  "hono + hono/jwk": (issuer, resource) =>
    onHono({ jwks_uri: `${issuer}/jwks`, verification: { iss: issuer, aud: resource } }),
  "hono + hono/jwk, keys at hand": async (issuer, resource) => {
    const { keys } = await (await fetch(`${issuer}/jwks`)).json()
    return onHono({ keys, verification: { iss: issuer, aud: resource } })
  },
  "tools: SDK v1 + mcp-auth": async (issuer, resource) => tools(await mcpAuthOf(issuer, resource)),
  "tools: SDK v1 + requireBearerAuth + jose": async (issuer, resource) => tools(await sdkOf(issuer, resource))
}
