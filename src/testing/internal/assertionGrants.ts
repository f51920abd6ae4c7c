import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from "jose"
import { type EndpointRequest, isActive, type IssuerState, reject } from "./endpoints.ts"
import { idJagType } from "./mint.ts"

/* Grants of the extensions of MCP: an ID-JAG instead of a sign-in, and a JWT of a workload instead of credentials. */

export const idJag = "urn:ietf:params:oauth:token-type:id-jag"

const idToken = "urn:ietf:params:oauth:token-type:id_token"

/** An ID-JAG that a client requests. */
export interface IdJagGrant {
  readonly subject: string
  readonly clientId: string
  readonly audience: string
  readonly resource: string | undefined
  readonly scopes: ReadonlyArray<string> | undefined
}

/** Exchanges an ID token of a client for the content of an ID-JAG (RFC 8693 §2.1), or returns the error response. */
export const exchangeIdToken = (
  form: URLSearchParams,
  client: string,
  scopes: ReadonlyArray<string> | undefined,
  { clients, issued, now }: IssuerState
): IdJagGrant | Response => {
  const audience = form.getAll("audience")
  const resource = form.getAll("resource")
  if (audience.length !== 1 || resource.length > 1) {
    return reject("invalid_request", "an ID-JAG needs one audience, and at most one resource")
  }
  if (form.get("subject_token_type") !== idToken) {
    return reject("invalid_request", `subject_token_type is not ${idToken}`)
  }
  const known = issued.get(form.get("subject_token") ?? "")
  if (known === undefined || !isActive(known, now)) return reject("invalid_grant", "the ID token is not active")
  // An ID token that another client received must not become a grant of this client.
  if (![known.claims["aud"]].flat().includes(client)) {
    return reject("invalid_grant", "the ID token was issued to another client")
  }
  return {
    subject: String(known.claims["sub"]),
    clientId: clients.get(client)?.clientIds?.[audience[0]!] ?? client,
    audience: audience[0]!,
    resource: resource[0],
    scopes
  }
}

/** The content of a token that an assertion of another issuer grants. */
export interface Asserted {
  readonly subject: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string> | undefined
}

const split = (scope: unknown): ReadonlyArray<string> | undefined =>
  typeof scope === "string" ? scope.split(" ").filter((_) => _ !== "") : undefined

/** Accepts an assertion as a grant (RFC 7523 §3), or returns the error response. `client` is the authenticated client. */
export const acceptAssertion = async (
  assertion: string,
  client: string | Response,
  requested: ReadonlyArray<string> | undefined,
  request: EndpointRequest,
  state: IssuerState
): Promise<Asserted | Response> => {
  const isIdJag = typeOf(assertion) === idJagType
  // An ID-JAG is only for the client that it names. A workload has no other credentials than its JWT.
  if (isIdJag && client instanceof Response) return client
  const claims = await verify(assertion, isIdJag, request, state)
  if (claims === undefined) {
    return reject("invalid_grant", "the assertion is not from a trusted issuer, or its signature or claims are wrong")
  }
  const jti = `${claims.iss} ${claims.jti}`
  if (state.assertions.has(jti)) return reject("invalid_grant", "the assertion was used before")
  if (!isIdJag) {
    state.assertions.add(jti)
    return { subject: claims.sub!, clientId: claims.sub!, scopes: requested }
  }
  if (claims["client_id"] !== client) return reject("invalid_grant", "the ID-JAG names another client")
  if (claims["resource"] !== undefined && claims["resource"] !== state.resource) {
    return reject("invalid_grant", "the ID-JAG names another resource")
  }
  const allowed = split(claims["scope"])
  const scopes = allowed === undefined ? requested : requested?.filter((scope) => allowed.includes(scope)) ?? allowed
  if (requested !== undefined && requested.length > 0 && scopes?.length === 0) {
    return reject("invalid_scope", "the ID-JAG contains none of the requested scopes")
  }
  state.assertions.add(jti)
  return { subject: claims.sub!, clientId: client as string, scopes }
}

const typeOf = (assertion: string): string | undefined => {
  try {
    return decodeProtectedHeader(assertion).typ?.toLowerCase()
  } catch {
    return undefined
  }
}

const verify = async (
  assertion: string,
  isIdJag: boolean,
  request: EndpointRequest,
  state: IssuerState
): Promise<JWTPayload | undefined> => {
  try {
    const { iss } = decodeJwt(assertion)
    const trusted = (isIdJag ? state.identityProviders : state.workloadIssuers).find(({ issuer }) => issuer === iss)
    if (trusted === undefined) return undefined
    const { payload } = await jwtVerify(assertion, createLocalJWKSet(await trusted.keys()), {
      issuer: trusted.issuer,
      audience: isIdJag ? state.issuer : [state.issuer, request.url],
      typ: isIdJag ? idJagType : "JWT",
      requiredClaims: ["sub", "exp", "iat", "jti"],
      currentDate: new Date(state.now * 1000)
    })
    return payload
  } catch {
    return undefined
  }
}
