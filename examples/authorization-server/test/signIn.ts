import {
  discoverAuthorizationServerMetadata,
  exchangeAuthorization,
  registerClient,
  startAuthorization
} from "@modelcontextprotocol/sdk/client/auth.js"
import type { OAuthTokens } from "@modelcontextprotocol/sdk/shared/auth.js"
import { UserAgent } from "../UserAgent.ts"

export interface SignIn {
  readonly issuer: string
  readonly resource: string
  /** The requested scopes. Without a value, the client requests none, as the SDK v1 does up to 1.20. */
  readonly scope: string | undefined
  /** The browser to sign in with. Default: a new one, in which alice signs in. */
  readonly userAgent?: UserAgent
}

/** Gets tokens as an MCP client does: discovery, registration, and an authorization code with PKCE and `resource`. */
export const signIn = async (options: SignIn): Promise<OAuthTokens> => {
  const { issuer, scope, userAgent = new UserAgent({ username: "alice" }) } = options
  const resource = new URL(options.resource)
  const redirectUrl = "http://127.0.0.1/callback"
  const metadata = await discoverAuthorizationServerMetadata(issuer)
  if (metadata === undefined) throw new Error(`${issuer} has no metadata`)
  const clientInformation = await registerClient(issuer, {
    metadata,
    ...scope === undefined ? {} : { scope },
    clientMetadata: {
      redirect_uris: [redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none"
    }
  })
  const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, {
    metadata,
    clientInformation,
    redirectUrl,
    ...scope === undefined ? {} : { scope },
    resource
  })
  const { searchParams } = await userAgent.authorize(authorizationUrl)
  const code = searchParams.get("code")
  if (code === null) throw new Error(`${searchParams.get("error")}: ${searchParams.get("error_description")}`)
  return exchangeAuthorization(issuer, {
    metadata,
    clientInformation,
    authorizationCode: code,
    codeVerifier,
    redirectUri: redirectUrl,
    resource
  })
}
