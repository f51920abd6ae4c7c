import { env } from "cloudflare:workers"
import { McpAuthFetch } from "effect-mcp-auth/fetch"

const auth = await McpAuthFetch.make({
  resource: env.RESOURCE,
  authorizationServers: [env.ISSUER],
  scopes: ["todos:read"]
})
const route = auth.protectRoute(() => new Response("in"), { scopes: ["todos:read"] })

export default { fetch: (request) => route(request) }
