/** What MCP clients send, as of November 2026: registrations, metadata documents, and the redirect URIs that they use afterwards. */

export interface Registering {
  readonly client: string
  readonly body: Record<string, unknown>
  /** A redirect URI that the client uses later. */
  readonly uses: string
}

const native = { token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"] }

export const registrations: ReadonlyArray<Registering> = [
  {
    client: "Claude on the web",
    body: { client_name: "Claude", redirect_uris: ["https://claude.ai/api/mcp/auth_callback"], ...native },
    uses: "https://claude.ai/api/mcp/auth_callback"
  },
  {
    client: "ChatGPT",
    body: {
      client_name: "ChatGPT",
      redirect_uris: [
        "https://chatgpt.com/connector/oauth/ab12",
        "https://chatgpt.com/connector_platform_oauth_redirect"
      ]
    },
    uses: "https://chatgpt.com/connector/oauth/ab12"
  },
  {
    client: "VS Code",
    body: {
      client_name: "Visual Studio Code",
      client_uri: "https://code.visualstudio.com",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
      redirect_uris: [
        "https://insiders.vscode.dev/redirect",
        "https://vscode.dev/redirect",
        "http://localhost/",
        "http://127.0.0.1/",
        "http://localhost:33418/",
        "http://127.0.0.1:33418/"
      ],
      token_endpoint_auth_method: "none",
      application_type: "native"
    },
    uses: "http://127.0.0.1:49731/"
  },
  {
    client: "Cursor",
    body: {
      client_name: "Cursor",
      application_type: "web",
      redirect_uris: [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback"
      ]
    },
    uses: "cursor://anysphere.cursor-mcp/oauth/callback"
  },
  {
    client: "Cursor with an unusable URI",
    body: {
      client_name: "Cursor",
      redirect_uris: ["cursor://other.cursor-mcp/callback", "https://www.cursor.com/agents/mcp/oauth/callback"]
    },
    uses: "https://www.cursor.com/agents/mcp/oauth/callback"
  },
  {
    client: "Gemini CLI",
    body: { client_name: "Gemini CLI MCP Client", redirect_uris: ["http://localhost:7777/oauth/callback"], ...native },
    uses: "http://localhost:7777/oauth/callback"
  },
  {
    client: "the inspector",
    body: { client_name: "MCP Inspector", redirect_uris: ["http://localhost:6274/oauth/callback"], ...native },
    uses: "http://localhost:6274/oauth/callback"
  },
  {
    client: "mcp-remote, which uses another port later",
    body: { client_name: "MCP CLI Proxy", redirect_uris: ["http://localhost:3334/oauth/callback"], ...native },
    uses: "http://localhost:21967/oauth/callback"
  },
  {
    client: "Copilot Studio",
    body: {
      client_name: "Copilot Studio",
      redirect_uris: ["https://global.consent.azure-apim.net/redirect/todos-5f"],
      token_endpoint_auth_method: "client_secret_post"
    },
    uses: "https://global.consent.azure-apim.net/redirect/todos-5f"
  }
]

export interface Documented {
  readonly client: string
  readonly url: string
  readonly document: Record<string, unknown>
  readonly uses: string
}

const documented = (client: string, url: string, uses: string, members: Record<string, unknown>): Documented => ({
  client,
  url,
  uses,
  document: { client_id: url, client_name: client, token_endpoint_auth_method: "none", ...members }
})

export const documents: ReadonlyArray<Documented> = [
  documented(
    "Claude",
    "https://claude.ai/oauth/mcp-oauth-client-metadata",
    "https://claude.ai/api/mcp/auth_callback",
    { redirect_uris: ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"] }
  ),
  documented(
    "Claude Code",
    "https://claude.ai/oauth/claude-code-client-metadata",
    "http://localhost:54012/callback",
    { redirect_uris: ["http://localhost/callback", "http://127.0.0.1/callback"] }
  ),
  documented(
    "ChatGPT",
    "https://chatgpt.com/oauth/client.json",
    "https://chatgpt.com/connector_platform_oauth_redirect",
    {
      redirect_uris: ["https://chatgpt.com/connector_platform_oauth_redirect"],
      token_endpoint_auth_method: ["none", "private_key_jwt"],
      token_endpoint_auth_signing_alg: "RS256",
      jwks_uri: "https://chatgpt.com/oauth/jwks.json"
    }
  ),
  documented("Codex", "https://chatgpt.com/oauth/codex/client.json", "http://127.0.0.1:1455/callback", {
    redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"]
  }),
  documented("VS Code", "https://vscode.dev/oauth/client-metadata.json", "http://127.0.0.1:50111/", {
    application_type: "native",
    redirect_uris: ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"]
  }),
  documented("goose", "https://goose-docs.ai/oauth/client-metadata.json", "http://127.0.0.1:6001/callback", {
    redirect_uris: ["http://127.0.0.1/callback"]
  }),
  documented("Zed", "https://zed.dev/oauth/client-metadata.json", "http://127.0.0.1:6002/callback", {
    redirect_uris: ["http://127.0.0.1/callback"]
  }),
  documented(
    "OpenCode",
    "https://opencode.ai/oauth/opencode/client.json",
    "http://127.0.0.1:19876/mcp/oauth/callback",
    {
      redirect_uris: ["http://127.0.0.1:19876/mcp/oauth/callback"]
    }
  )
]
