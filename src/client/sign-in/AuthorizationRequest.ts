import * as Result from "effect/Result"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"

/* Writes authorization requests (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2). */

/** The parameters of an authorization request. */
export interface AuthorizationRequest {
  /** `authorization_endpoint` of the metadata. */
  readonly endpoint: string
  readonly clientId: string
  readonly redirectUri: string
  readonly state: string
  readonly challenge: string
  readonly scopes: ReadonlyArray<string>
  /** The resource identifier as the metadata write it, or `undefined` for a server that rejects the parameter. */
  readonly resource: string | undefined
  /** The thumbprint of the key that the token is bound to. The code is bound to the same key (RFC 9449 §10). */
  readonly thumbprint: string | undefined
}

/** The longest authorization endpoint, in characters. */
const longestEndpoint = 2_048

/**
 * Returns the URL that a browser opens. Fails with the second part of a sentence about the endpoint. The URL is serialized again, so
 * that no character of the metadata has a meaning for a program that receives it.
 */
export const toUrl = (request: AuthorizationRequest): Result.Result<string, string> => {
  const { challenge, clientId, endpoint, redirectUri, resource, scopes, state, thumbprint } = request
  if (endpoint.length > longestEndpoint) return Result.fail(`is longer than ${longestEndpoint} characters`)
  const parsed = HttpUri.parse(endpoint, { query: true })
  if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
  const url = parsed.success
  if (!HttpUri.isSecure(url)) return Result.fail("is not https")
  const parameters: ReadonlyArray<readonly [string, string]> = [
    ["response_type", "code"],
    ["client_id", clientId],
    ["redirect_uri", redirectUri],
    ["state", state],
    ["code_challenge", challenge],
    ["code_challenge_method", "S256"],
    ...(scopes.length === 0 ? [] : [["scope", ScopeToken.format(scopes)] as const]),
    ...(resource === undefined ? [] : [["resource", resource] as const]),
    ...(thumbprint === undefined ? [] : [["dpop_jkt", thumbprint] as const]),
    // OpenID Connect Core §11: without it, the server ignores the scope.
    ...(scopes.includes("offline_access") ? [["prompt", "consent"] as const] : [])
  ]
  // A parameter of the metadata must not replace one of the client.
  for (const [name, value] of parameters) url.searchParams.set(name, value)
  url.pathname = url.pathname.replace(/%(?![0-9a-f]{2})|[&$'();!]/gi, encode)
  return Result.succeed(url.href)
}

const encode = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

/**
 * Returns the scopes of a request. `offline_access` asks for a refresh token, and is requested if and only if the authorization server
 * lists it, because others reject an unknown scope.
 */
export const scopesFor = (
  scopes: ReadonlyArray<string>,
  listed: ReadonlyArray<string> | undefined
): ReadonlyArray<string> => {
  const others = scopes.filter((scope) => scope !== "offline_access")
  return listed?.includes("offline_access") ? [...others, "offline_access"] : others
}
