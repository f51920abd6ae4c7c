import type { FaultDescription, ServerRequest } from "./faultModel.ts"

/* The faults of tokens, of the MCP server, of step-up authorization and of DPoP. */

const isTokenRequest = ({ party, url }: ServerRequest) => party === "issuer" && new URL(url).pathname === "/token"

const isRefresh = (request: ServerRequest) =>
  isTokenRequest(request) && new URLSearchParams(request.body).get("grant_type") === "refresh_token"

const hasToken = ({ headers, party }: ServerRequest) => party === "server" && headers["authorization"] !== undefined

const stepUp = (scope: string) => `Bearer error="insufficient_scope", scope="${scope}"`

export const tokenFaults = {
  "rejects-refresh-tokens": {
    number: 35,
    server: "The token endpoint rejects every refresh token: `invalid_grant`.",
    client: "Uses the refresh token no longer, and asks the person to sign in.",
    respond: (request) => isRefresh(request) ? Response.json({ error: "invalid_grant" }, { status: 400 }) : undefined
  },
  "token-outage": {
    number: 36,
    server: "The token endpoint answers 503.",
    client: "Keeps its tokens, and refreshes without a sign-in when the outage is over.",
    respond: (request) =>
      isTokenRequest(request) ? new Response(null, { status: 503, headers: { "retry-after": "1" } }) : undefined
  },
  "token-rate-limit": {
    number: 36,
    server: "The token endpoint answers 429.",
    client: "Keeps its tokens, and refreshes without a sign-in when the limit has passed.",
    respond: (request) =>
      isTokenRequest(request) ? new Response(null, { status: 429, headers: { "retry-after": "1" } }) : undefined
  },
  "refreshes-without-details": {
    number: 37,
    server: "The response to a refresh contains neither a refresh token nor scopes nor an expiry.",
    client: "Keeps the refresh token, and uses it again.",
    respond: (request, { acceptAnother }) =>
      isRefresh(request) ? Response.json({ access_token: acceptAnother(), token_type: "Bearer" }) : undefined
  },
  "rejects-fresh-tokens": {
    number: 38,
    server: "The MCP server answers 401 to every token, also to one that was just issued.",
    client: "Gives up after one refresh and one repeated request.",
    rejectsTokens: true
  },
  "unknown-token-type": {
    number: 39,
    server: "The token response has the type `mac`.",
    client: "Rejects the token, and sends it nowhere.",
    token: (members) => ({ ...members, token_type: "mac" })
  },
  "token-endpoint-at-another-origin": {
    number: 41,
    server: "The metadata name a token endpoint at another public origin, which belongs to the authorization server.",
    client: "Sends the code there.",
    metadata: (members, { elsewhere }) => ({ ...members, token_endpoint: `${elsewhere}/token` }),
    respond: (request, { redeem }) =>
      request.party === "elsewhere" && new URL(request.url).pathname === "/token" ? redeem(request) : undefined
  },
  "metadata-of-a-sibling": {
    number: 42,
    server: "The metadata describe another MCP server on the same host, to obtain its tokens.",
    client: "Stops before the sign-in.",
    resourceMetadata: (members, { server }) => ({ ...members, resource: `${server}/other` })
  },
  "redirects-requests": {
    number: 43,
    server: "The MCP server redirects requests to another origin with the status 307.",
    client: "Does not follow the redirect with its token or its message.",
    respond: (request, { elsewhere }) =>
      hasToken(request) && !new URL(request.url).pathname.startsWith("/other")
        ? new Response(null, { status: 307, headers: { location: `${elsewhere}/mcp` } })
        : undefined
  },
  "redirects-requests-to-a-sibling": {
    number: 43,
    server: "The MCP server redirects requests to another MCP server on the same host with the status 307.",
    client: "Does not send its token there.",
    respond: (request, { server }) =>
      hasToken(request) && !new URL(request.url).pathname.startsWith("/other")
        ? new Response(null, { status: 307, headers: { location: `${server}/other` } })
        : undefined
  },
  "asks-for-granted-scopes": {
    number: 48,
    server: "The MCP server answers 403, and asks for scopes that the token has.",
    client: "Reports the error after at most two sign-ins.",
    stepUp: () => stepUp("todos:read")
  },
  "asks-for-no-scopes": {
    number: 48,
    server: "The MCP server answers 403 `insufficient_scope` without scopes.",
    client: "Reports the error after at most two sign-ins.",
    stepUp: () => "Bearer error=\"insufficient_scope\""
  },
  "asks-for-ever-more-scopes": {
    number: 48,
    server: "The MCP server answers 403, and asks for another scope each time.",
    client: "Reports the error after at most two sign-ins.",
    stepUp: ({ count }) => stepUp(`todos:${count()}`)
  },
  "grants-fewer-scopes": {
    number: 49,
    server: "The authorization server grants only `todos:read`.",
    client: "Reports the missing scopes, keeps the smaller token, and does not loop.",
    token: (members) => ({ ...members, scope: "todos:read" })
  },
  "malformed-challenge": {
    number: 51,
    server: "The MCP server answers 403 with a challenge that does not follow the grammar.",
    client: "Treats it as a plain 403.",
    stepUp: () => "Bearer error=insufficient_scope\", scope=\"todos:write, ="
  },
  "giant-challenge": {
    number: 51,
    server: "The MCP server answers 403 with a challenge of 1,500 scopes.",
    client: "Treats it as a plain 403.",
    stepUp: () => stepUp(Array.from({ length: 1500 }, (_, index) => `s:${index}`).join(" "))
  },
  "requires-dpop-nonces": {
    number: 52,
    server: "The authorization server and the MCP server require a nonce in DPoP proofs, each a different one.",
    client: "Repeats the request once with the nonce of this server, in a new proof.",
    nonces: "constant"
  },
  "changes-dpop-nonces": {
    number: 52,
    server: "The MCP server requires another DPoP nonce each time.",
    client: "Gives up after one repeated request.",
    nonces: "changing"
  },
  "issues-bearer-for-proof": {
    number: 39,
    server: "The authorization server issues a bearer token, although the request has a DPoP proof.",
    client: "Rejects the token, and sends it nowhere.",
    token: (members) => ({ ...members, token_type: "Bearer" })
  },
  "issues-expired-tokens": {
    number: 60,
    server: "Tokens are expired when they are issued, and the MCP server rejects them.",
    client: "Does not loop.",
    token: (members) => ({ ...members, expires_in: 0 }),
    rejectsTokens: true
  }
} satisfies Record<string, FaultDescription>
