import { base64url, calculateJwkThumbprint, createLocalJWKSet, EmbeddedJWK, type JWK, jwtVerify } from "jose"
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
}

/** A request to an endpoint. */
export interface EndpointRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The state that the endpoints share. */
export interface IssuerState {
  readonly issuer: string
  readonly clients: ReadonlyMap<string, Client>
  readonly issued: Map<string, Issued>
  /** The identifiers of used client assertions (RFC 7523 §3). */
  readonly assertions: Set<string>
  /** The current time, in seconds since 1970. */
  readonly now: number
}

/** Responds with JSON that must not be cached (RFC 6749 §5.1, RFC 7662 §2.2). */
export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } })

/** Responds with an error of RFC 6749 §5.2. */
const reject = (error: string, description: string, status = 400, headers: Readonly<Record<string, string>> = {}) =>
  json({ error, error_description: description }, status, headers)

const invalidClient = (description: string) =>
  reject("invalid_client", description, 401, { "www-authenticate": "Basic realm=\"issuer\"" })

/** Parameters that can be repeated (RFC 8707 §2, RFC 8693 §2.1). */
const several: ReadonlySet<string> = new Set(["resource", "audience"])

/** Reads the parameters of a request, or returns the error response. */
const readForm = ({ body, headers, method }: EndpointRequest): URLSearchParams | Response => {
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
const authenticate = async (
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

const isActive = ({ claims, revoked }: Issued, now: number): boolean => {
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

/** A token that a client requests. */
export interface Grant {
  readonly subject: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string> | undefined
  readonly audience: ReadonlyArray<string> | undefined
  readonly claims: Readonly<Record<string, unknown>>
  readonly jkt: string | undefined
}

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
const onBehalfOf = "urn:ietf:params:oauth:grant-type:jwt-bearer"

/**
 * Issues a token for client credentials, token exchange (RFC 8693) or on-behalf-of. If the request has a DPoP proof, the token
 * is bound to the key of the proof (RFC 9449 §5).
 */
export const token = async (
  request: EndpointRequest,
  state: IssuerState,
  nonce: string | undefined,
  mint: (grant: Grant) => Promise<{ readonly token: string; readonly expiresIn: number }>
): Promise<Response> => {
  const form = readForm(request)
  if (form instanceof Response) return form
  const client = await authenticate(request, form, state)
  if (client instanceof Response) return client
  const proof = request.headers["dpop"]
  const jkt = proof === undefined ? undefined : await verifyProof(proof, request, state, nonce)
  if (jkt instanceof Response) return jkt

  const type = form.get("grant_type")
  const scopes = form.get("scope")?.split(" ").filter((_) => _ !== "")
  const audience = [...form.getAll("resource"), ...form.getAll("audience")]
  const common = {
    clientId: client,
    scopes,
    audience: audience.length === 0 ? undefined : audience,
    jkt
  }
  const issue = async (grant: Grant, more: Readonly<Record<string, unknown>> = {}) => {
    const { expiresIn, token } = await mint(grant)
    return json(defined({
      access_token: token,
      token_type: jkt === undefined ? "Bearer" : "DPoP",
      expires_in: expiresIn,
      scope: scopes?.join(" "),
      ...more
    }))
  }
  switch (type) {
    case "client_credentials":
      return issue({ ...common, subject: client, claims: state.clients.get(client)?.claims ?? {} })
    case tokenExchange:
    case onBehalfOf: {
      const exchanged = form.get(type === tokenExchange ? "subject_token" : "assertion")
      const known = exchanged === null ? undefined : state.issued.get(exchanged)
      if (known === undefined || !isActive(known, state.now)) {
        return reject(type === tokenExchange ? "invalid_request" : "invalid_grant", "the token is not active")
      }
      return issue(
        { ...common, subject: String(known.claims["sub"]), claims: { act: { sub: client } } },
        type === tokenExchange ? { issued_token_type: "urn:ietf:params:oauth:token-type:access_token" } : {}
      )
    }
    default:
      return reject(
        "unsupported_grant_type",
        "this issuer supports client_credentials, token-exchange and jwt-bearer"
      )
  }
}

/** Verifies a proof (RFC 9449 §4.3). Returns the thumbprint of its key, or the error response (§5, §8). */
const verifyProof = async (
  proof: string,
  { method, url }: EndpointRequest,
  { now }: IssuerState,
  nonce: string | undefined
): Promise<string | Response> => {
  const verified = await jwtVerify(proof, EmbeddedJWK, {
    typ: "dpop+jwt",
    requiredClaims: ["jti", "htm", "htu", "iat"],
    maxTokenAge: 60,
    clockTolerance: 5,
    currentDate: new Date(now * 1000)
  }).catch(() => undefined)
  const { origin, pathname } = new URL(url)
  if (verified?.payload["htm"] !== method || verified.payload["htu"] !== `${origin}${pathname}`) {
    return reject("invalid_dpop_proof", "the proof is not for this request")
  }
  return nonce === undefined || verified.payload["nonce"] === nonce
    ? calculateJwkThumbprint(verified.protectedHeader.jwk as JWK)
    : reject("use_dpop_nonce", "the proof must contain the nonce of the DPoP-Nonce header", 400, {
      "dpop-nonce": nonce
    })
}
