/** A Worker with an MCP endpoint behind the proxy, which keeps its grants in memory. `workerd.test.ts` bundles this file. */
import { Redacted } from "effect"
import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"

interface Environment {
  readonly origin: string
  readonly upstream: string
  readonly clientId: string
  readonly clientSecret: string
  readonly secret: string
}

const start = async ({ clientId, clientSecret, origin, secret, upstream }: Environment) => {
  const proxy = await OAuthProxy.make({
    resource: `${origin}/mcp`,
    scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
    upstream: Upstream.github({
      clientId,
      clientSecret: Redacted.make(clientSecret),
      server: upstream,
      scopes: { "todos:read": [], "todos:write": ["repo"] }
    }),
    admit: Admit.githubOrganization("acme"),
    secret: Redacted.make(secret)
  })
  const mcp = proxy.web.protect(async (_, { principal }) =>
    Response.json({
      subject: principal?.subject,
      upstreamToken: principal === undefined ? undefined : Redacted.value(await proxy.upstreamToken(principal))
    })
  )
  return (request: Request) => proxy.fetch(request) ?? mcp(request)
}

// A Worker may use random values only while it answers a request.
let handler: ReturnType<typeof start> | undefined

export default {
  fetch: async (request: Request, environment: Environment): Promise<Response> =>
    (await (handler ??= start(environment)))(request)
}
