/** Authorization servers and MCP servers in memory, for the level "client". */

export const issuer = "https://auth.example.com"

export const resource = "https://todos.example.com/mcp"

export const redirectUri = "https://app.example.com/callback"

export const accessToken = "a".repeat(800)

const bearer = /^Bearer /

const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  registration_endpoint: `${issuer}/register`,
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"],
  token_endpoint_auth_methods_supported: ["none", "client_secret_basic"]
}

/** Creates the servers. Each token differs from all others, and is valid for an hour. */
export const servers = (): typeof globalThis.fetch => {
  let issued = 0
  return async (input, init) => {
    // No `Request`, which keeps its signal in memory until the process is idle.
    const url = new URL(String(input))
    if (url.origin === issuer) {
      switch (url.pathname) {
        case "/token":
          issued++
          return Response.json({
            access_token: `${accessToken}-${issued}`,
            refresh_token: `refresh-${issued}`,
            token_type: "Bearer",
            expires_in: 3600
          })
        case "/register":
          return Response.json({ ...JSON.parse(String(init?.body)) as object, client_id: "client" }, { status: 201 })
        case "/.well-known/oauth-authorization-server":
          return Response.json(metadata)
      }
      return new Response(null, { status: 404 })
    }
    if (url.pathname.startsWith("/.well-known/oauth-protected-resource")) {
      const path = url.pathname.slice("/.well-known/oauth-protected-resource".length)
      return Response.json({ resource: `${url.origin}${path}`, authorization_servers: [issuer] })
    }
    return bearer.test(new Headers(init?.headers).get("authorization") ?? "")
      ? new Response(null, { status: 200 })
      : new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } })
  }
}
