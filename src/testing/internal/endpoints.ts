import { base64url, calculateJwkThumbprint, createLocalJWKSet, EmbeddedJWK, type JWK, jwtVerify } from "jose"
import { defined } from "./keys.ts"

/** A client that the issuer knows. */
export interface Client {
  /** For `client_secret_basic` and `client_secret_post`. */
  readonly secret?: string | undefined
  /** Public keys, for `private_key_jwt`. */
  readonly jwks?: { readonly keys: ReadonlyArray<unknown> } | undefined
  /** A bearer token, for endpoints that want one (RFC 7662 §2.1). */
  readonly bearer?: string | undefined
}

/** A request as the endpoints read it. */
export interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A token that the issuer made, and what it knows of it. */
export interface Issued {
  readonly claims: Readonly<Record<string, unknown>>
  revoked: boolean
}

/** What the endpoints share. */
export interface Books {
  readonly issuer: string
  readonly clients: ReadonlyMap<string, Client>
  readonly issued: Map<string, Issued>
  /** Identifiers of client assertions, each of which counts once (RFC 7523 §3). */
  readonly assertions: Set<string>
  /** In seconds. */
  readonly now: number
}

/** JSON that nobody may keep (RFC 6749 §5.1, RFC 7662 §2.2). */
export const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } })

/** The error of RFC 6749 §5.2. */
const rejected = (error: string, description: string, status = 400, headers: Readonly<Record<string, string>> = {}) =>
  json({ error, error_description: description }, status, headers)

const invalidClient = (description: string) =>
  rejected("invalid_client", description, 401, { "www-authenticate": "Basic realm=\"issuer\"" })

/** Parameters that may be given more than once (RFC 8707 §2, RFC 8693 §2.1). */
const several: ReadonlySet<string> = new Set(["resource", "audience"])

/** The parameters of a request, or the answer to one that has none. */
const formOf = ({ body, headers, method }: Asked): URLSearchParams | Response => {
  if (method !== "POST") return new Response("", { status: 405, headers: { allow: "POST" } })
  const type = headers["content-type"]?.split(";")[0]?.trim().toLowerCase()
  if (type !== "application/x-www-form-urlencoded") {
    return rejected(
      "invalid_request",
      `the content type of the body is ${type ?? "missing"}; expected application/x-www-form-urlencoded`
    )
  }
  const form = new URLSearchParams(body)
  const twice = [...new Set(form.keys())].find((name) => !several.has(name) && form.getAll(name).length > 1)
  return twice === undefined ? form : rejected("invalid_request", `${twice} is given twice`)
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/** RFC 6749 §2.3.1: both parts are form-encoded before they are joined. */
const formDecode = (text: string): string => decodeURIComponent(text.replaceAll("+", " "))

/** Who asks (RFC 6749 §2.3, RFC 7523 §2.2), or the answer to somebody unknown. */
const clientOf = async (asked: Asked, form: URLSearchParams, books: Books): Promise<string | Response> => {
  const authorization = asked.headers["authorization"]
  const assertion = form.get("client_assertion")
  const secret = form.get("client_secret")
  if ([authorization, assertion, secret].filter((_) => _ !== undefined && _ !== null).length > 1) {
    return rejected("invalid_request", "the client authenticates in more than one way")
  }
  const [scheme, ...rest] = (authorization ?? "").split(" ")
  const credentials = rest.join(" ").trim()
  if (scheme?.toLowerCase() === "bearer") {
    const found = [...books.clients].find(([, client]) => client.bearer !== undefined && client.bearer === credentials)
    return found === undefined ? invalidClient("the bearer token is unknown") : found[0]
  }
  if (scheme?.toLowerCase() === "basic") {
    const decoded = new TextDecoder().decode(
      base64url.decode(credentials.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""))
    )
    const colon = decoded.indexOf(":")
    if (colon === -1) return invalidClient("the Basic credentials have no colon")
    const id = formDecode(decoded.slice(0, colon))
    return isSecretOf(books, id, formDecode(decoded.slice(colon + 1))) ? id : invalidClient("the secret is wrong")
  }
  if (secret !== null) {
    const id = form.get("client_id") ?? ""
    return isSecretOf(books, id, secret) ? id : invalidClient("the secret is wrong")
  }
  if (assertion !== null && form.get("client_assertion_type") === assertionType) {
    return clientOfAssertion(assertion, asked, books)
  }
  return invalidClient("the request has no client credentials")
}

const isSecretOf = (books: Books, id: string, secret: string): boolean => {
  const expected = books.clients.get(id)?.secret
  return expected !== undefined && expected === secret
}

const clientOfAssertion = async (assertion: string, asked: Asked, books: Books): Promise<string | Response> => {
  for (const [id, client] of books.clients) {
    if (client.jwks === undefined) continue
    const verified = await jwtVerify(
      assertion,
      createLocalJWKSet({ keys: client.jwks.keys as unknown as Array<JWK> }),
      {
        issuer: id,
        subject: id,
        audience: [books.issuer, asked.url],
        requiredClaims: ["exp", "jti"],
        currentDate: new Date(books.now * 1000)
      }
    ).catch(() => undefined)
    if (verified === undefined) continue
    const jti = `${id} ${verified.payload.jti}`
    if (books.assertions.has(jti)) return invalidClient("the assertion was used before")
    books.assertions.add(jti)
    return id
  }
  return invalidClient("the assertion is not signed with a key of a registered client, or its claims are wrong")
}

const isActive = ({ claims, revoked }: Issued, now: number): boolean => {
  const { exp, nbf } = claims
  return !revoked && !(typeof exp === "number" && exp <= now) && !(typeof nbf === "number" && nbf > now)
}

/**
 * Introspection (RFC 7662): answers what `describe` makes of an active token, in a signed token if that is asked for
 * (RFC 9701 §4).
 */
export const introspect = async (
  asked: Asked,
  books: Books,
  describe: (claims: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  sign: (header: Readonly<Record<string, unknown>>, claims: Readonly<Record<string, unknown>>) => Promise<string>
): Promise<Response> => {
  const form = formOf(asked)
  if (form instanceof Response) return form
  const client = await clientOf(asked, form, books)
  if (client instanceof Response) return client
  const token = form.get("token")
  if (token === null) return rejected("invalid_request", "token is missing")
  const known = books.issued.get(token)
  const answer = known === undefined || !isActive(known, books.now)
    ? { active: false }
    : defined({
      active: true,
      token_type: Object.hasOwn(known.claims, "cnf") ? "DPoP" : "Bearer",
      ...describe(known.claims)
    })
  if (!(asked.headers["accept"] ?? "").includes("application/token-introspection+jwt")) return json(answer)
  const signed = await sign(
    { typ: "token-introspection+jwt" },
    { iss: books.issuer, aud: client, iat: books.now, token_introspection: answer }
  )
  return new Response(signed, {
    headers: { "content-type": "application/token-introspection+jwt", "cache-control": "no-store" }
  })
}

/** Revocation (RFC 7009): an unknown token is revoked already. */
export const revoke = async (asked: Asked, books: Books): Promise<Response> => {
  const form = formOf(asked)
  if (form instanceof Response) return form
  const client = await clientOf(asked, form, books)
  if (client instanceof Response) return client
  const token = form.get("token")
  if (token === null) return rejected("invalid_request", "token is missing")
  const known = books.issued.get(token)
  if (known !== undefined) known.revoked = true
  return new Response("", { headers: { "cache-control": "no-store" } })
}

/** What somebody asks the token endpoint for. */
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

/** The token endpoint: client credentials, token exchange (RFC 8693) and on-behalf-of; with a proof, bound (RFC 9449 §5). */
export const token = async (
  asked: Asked,
  books: Books,
  nonce: string | undefined,
  mint: (grant: Grant) => Promise<{ readonly token: string; readonly expiresIn: number }>
): Promise<Response> => {
  const form = formOf(asked)
  if (form instanceof Response) return form
  const client = await clientOf(asked, form, books)
  if (client instanceof Response) return client
  const proof = asked.headers["dpop"]
  const jkt = proof === undefined ? undefined : await thumbprintOf(proof, asked, books, nonce)
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
  const answer = async (grant: Grant, more: Readonly<Record<string, unknown>> = {}) => {
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
      return answer({ ...common, subject: client, claims: {} })
    case tokenExchange:
    case onBehalfOf: {
      const exchanged = form.get(type === tokenExchange ? "subject_token" : "assertion")
      const known = exchanged === null ? undefined : books.issued.get(exchanged)
      if (known === undefined || !isActive(known, books.now)) {
        return rejected(type === tokenExchange ? "invalid_request" : "invalid_grant", "the token is not active")
      }
      return answer(
        { ...common, subject: String(known.claims["sub"]), claims: { act: { sub: client } } },
        type === tokenExchange ? { issued_token_type: "urn:ietf:params:oauth:token-type:access_token" } : {}
      )
    }
    default:
      return rejected(
        "unsupported_grant_type",
        "this issuer supports client_credentials, token-exchange and jwt-bearer"
      )
  }
}

/** Whose key signed a proof (RFC 9449 §4.3), or the answer to a proof that is none (§5, §8). */
const thumbprintOf = async (
  proof: string,
  { method, url }: Asked,
  { now }: Books,
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
    return rejected("invalid_dpop_proof", "the proof is not for this request")
  }
  return nonce === undefined || verified.payload["nonce"] === nonce
    ? calculateJwkThumbprint(verified.protectedHeader.jwk as JWK)
    : rejected("use_dpop_nonce", "the proof must contain the nonce of the DPoP-Nonce header", 400, {
      "dpop-nonce": nonce
    })
}
