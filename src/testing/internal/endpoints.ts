import { base64url, createLocalJWKSet, type JWK, jwtVerify } from "jose"
import { defined } from "./keys.ts"
import type { Issued } from "./mint.ts"

/**
 * A client of the issuer, and how it authenticates at introspection, revocation and the token endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client {
  /** The secret, for `client_secret_basic` and `client_secret_post`. */
  readonly secret?: string | undefined
  /** Public keys, for `private_key_jwt`. */
  readonly jwks?: { readonly keys: ReadonlyArray<unknown> } | undefined
  /** A bearer token, for endpoints that require one (RFC 7662 §2.1). */
  readonly bearer?: string | undefined
  /**
   * Claims of the tokens that the client gets for its credentials, such as `{ roles: ["editor"] }`. They replace claims of the same
   * name, also `scope`. Default: none.
   */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** The ids of this client at other authorization servers, by their issuers, for ID-JAGs. Default: the same id as here. */
  readonly clientIds?: Readonly<Record<string, string>> | undefined
  /** The redirect URIs to which the option `signIn` sends people. Default: every redirect URI. */
  readonly redirectUris?: ReadonlyArray<string> | undefined
}

/** A request to an endpoint. */
export interface EndpointRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Another issuer, and its key set. */
export interface TrustedIssuer {
  readonly issuer: string
  readonly keys: () => Promise<{ readonly keys: Array<JWK> }>
}

/** A token that a client requests. */
export interface Grant {
  readonly subject: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string> | undefined
  readonly audience: ReadonlyArray<string> | undefined
  readonly claims: Readonly<Record<string, unknown>>
  readonly jkt: string | undefined
}

/** The state that the endpoints share. */
export interface IssuerState {
  readonly issuer: string
  readonly clients: ReadonlyMap<string, Client>
  readonly issued: Map<string, Issued>
  /** The resource that tokens are for. */
  readonly resource: string
  /** The identifiers of used assertions, of clients and of grants (RFC 7523 §3). */
  readonly assertions: Set<string>
  /** The issuers whose ID-JAGs are accepted. */
  readonly identityProviders: ReadonlyArray<TrustedIssuer>
  /** The issuers whose JWTs are accepted as workload identities. */
  readonly workloadIssuers: ReadonlyArray<TrustedIssuer>
  /** The current time, in seconds since 1970. */
  readonly now: number
}

/** Responds with JSON that must not be cached (RFC 6749 §5.1, RFC 7662 §2.2). */
export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } })

/** Responds with an error of RFC 6749 §5.2. */
export const reject = (
  error: string,
  description: string,
  status = 400,
  headers: Readonly<Record<string, string>> = {}
) => json({ error, error_description: description }, status, headers)

const invalidClient = (description: string) =>
  reject("invalid_client", description, 401, { "www-authenticate": "Basic realm=\"issuer\"" })

/** Parameters that can be repeated (RFC 8707 §2, RFC 8693 §2.1). */
const several: ReadonlySet<string> = new Set(["resource", "audience"])

/** Reads the parameters of a request, or returns the error response. */
export const readForm = ({ body, headers, method }: EndpointRequest): URLSearchParams | Response => {
  if (method !== "POST") return new Response("", { status: 405, headers: { allow: "POST" } })
  const type = headers["content-type"]?.split(";")[0]?.trim().toLowerCase()
  if (type !== "application/x-www-form-urlencoded") {
    return reject(
      "invalid_request",
      `the content type of the body is ${type ?? "missing"}; expected application/x-www-form-urlencoded`
    )
  }
  const form = new URLSearchParams(body)
  const twice = [...new Set(form.keys())].find((name) => !several.has(name) && form.getAll(name).length > 1)
  return twice === undefined ? form : reject("invalid_request", `${twice} is repeated`)
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/** Decodes one part of Basic credentials. Clients form-encode the id and the secret before they join them (RFC 6749 §2.3.1). */
const formDecode = (text: string): string => decodeURIComponent(text.replaceAll("+", " "))

/** Authenticates the client (RFC 6749 §2.3, RFC 7523 §2.2). Returns its id or the error response. */
export const authenticate = async (
  request: EndpointRequest,
  form: URLSearchParams,
  state: IssuerState
): Promise<string | Response> => {
  const authorization = request.headers["authorization"]
  const assertion = form.get("client_assertion")
  const secret = form.get("client_secret")
  if ([authorization, assertion, secret].filter((_) => _ !== undefined && _ !== null).length > 1) {
    return reject("invalid_request", "the client authenticates in more than one way")
  }
  const [scheme, ...rest] = (authorization ?? "").split(" ")
  const credentials = rest.join(" ").trim()
  if (scheme?.toLowerCase() === "bearer") {
    const found = [...state.clients].find(([, client]) => client.bearer !== undefined && client.bearer === credentials)
    return found === undefined ? invalidClient("the bearer token is unknown") : found[0]
  }
  if (scheme?.toLowerCase() === "basic") {
    const decoded = new TextDecoder().decode(
      base64url.decode(credentials.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""))
    )
    const colon = decoded.indexOf(":")
    if (colon === -1) return invalidClient("the Basic credentials have no colon")
    const id = formDecode(decoded.slice(0, colon))
    return isSecret(state, id, formDecode(decoded.slice(colon + 1))) ? id : invalidClient("the secret is wrong")
  }
  if (secret !== null) {
    const id = form.get("client_id") ?? ""
    return isSecret(state, id, secret) ? id : invalidClient("the secret is wrong")
  }
  if (assertion !== null && form.get("client_assertion_type") === assertionType) {
    return authenticateByAssertion(assertion, request, state)
  }
  return invalidClient("the request has no client credentials")
}

const isSecret = (state: IssuerState, id: string, secret: string): boolean => {
  const expected = state.clients.get(id)?.secret
  return expected !== undefined && expected === secret
}

const authenticateByAssertion = async (
  assertion: string,
  request: EndpointRequest,
  state: IssuerState
): Promise<string | Response> => {
  for (const [id, client] of state.clients) {
    if (client.jwks === undefined) continue
    const verified = await jwtVerify(
      assertion,
      createLocalJWKSet({ keys: client.jwks.keys as unknown as Array<JWK> }),
      {
        issuer: id,
        subject: id,
        audience: [state.issuer, request.url],
        requiredClaims: ["exp", "jti"],
        currentDate: new Date(state.now * 1000)
      }
    ).catch(() => undefined)
    if (verified === undefined) continue
    const jti = `${id} ${verified.payload.jti}`
    if (state.assertions.has(jti)) return invalidClient("the assertion was used before")
    state.assertions.add(jti)
    return id
  }
  return invalidClient("the assertion is not signed with a key of a registered client, or its claims are wrong")
}

export const isActive = ({ claims, revoked }: Issued, now: number): boolean => {
  const { exp, nbf } = claims
  return !revoked && !(typeof exp === "number" && exp <= now) && !(typeof nbf === "number" && nbf > now)
}

/**
 * Introspects a token (RFC 7662). The response contains the claims that `describe` returns. It is a signed JWT if the client
 * requests one (RFC 9701 §4).
 */
export const introspect = async (
  request: EndpointRequest,
  state: IssuerState,
  describe: (claims: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  sign: (header: Readonly<Record<string, unknown>>, claims: Readonly<Record<string, unknown>>) => Promise<string>
): Promise<Response> => {
  const form = readForm(request)
  if (form instanceof Response) return form
  const client = await authenticate(request, form, state)
  if (client instanceof Response) return client
  const token = form.get("token")
  if (token === null) return reject("invalid_request", "token is missing")
  const known = state.issued.get(token)
  const body = known === undefined || !isActive(known, state.now)
    ? { active: false }
    : defined({
      active: true,
      token_type: Object.hasOwn(known.claims, "cnf") ? "DPoP" : "Bearer",
      ...describe(known.claims)
    })
  if (!(request.headers["accept"] ?? "").includes("application/token-introspection+jwt")) return json(body)
  const signed = await sign(
    { typ: "token-introspection+jwt" },
    { iss: state.issuer, aud: client, iat: state.now, token_introspection: body }
  )
  return new Response(signed, {
    headers: { "content-type": "application/token-introspection+jwt", "cache-control": "no-store" }
  })
}

/** Revokes a token (RFC 7009). An unknown token is not an error. */
export const revoke = async (request: EndpointRequest, state: IssuerState): Promise<Response> => {
  const form = readForm(request)
  if (form instanceof Response) return form
  const client = await authenticate(request, form, state)
  if (client instanceof Response) return client
  const token = form.get("token")
  if (token === null) return reject("invalid_request", "token is missing")
  const known = state.issued.get(token)
  if (known !== undefined) known.revoked = true
  return new Response("", { headers: { "cache-control": "no-store" } })
}
