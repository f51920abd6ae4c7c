import type { Client, EndpointRequest, Grant } from "./endpoints.ts"
import { json, readForm, reject } from "./endpoints.ts"
import { defined, segment } from "./keys.ts"

/* The authorization code grant with PKCE (RFC 7636), refresh tokens that rotate, and dynamic client registration (RFC 7591). */

/**
 * How people sign in: `immediate` grants access without a question, and `page` shows a page on which a person writes a name, and
 * presses Allow or Deny.
 *
 * @category models
 * @since 0.1.0
 */
export type SignInMode = "immediate" | "page"

/** The access that a person has granted to a client. */
interface Granted extends Grant {
  /** The redirect URI of the request. The token request must repeat it (RFC 6749 §4.1.3). */
  readonly redirectUri: string
  readonly challenge: string
}

interface RefreshToken {
  readonly grant: Grant
  /** The tokens of one sign-in. The reuse of one of them revokes all (RFC 9700 §4.14.2). */
  readonly family: Set<string>
  isUsed: boolean
}

export interface SignIn {
  /** The members of the metadata that this grant needs. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly authorize: (request: EndpointRequest) => Response
  readonly register: (request: EndpointRequest) => Response
  /** Returns the grant of a code or a refresh token, or the error response. */
  readonly redeem: (form: URLSearchParams, clientId: string, jkt: string | undefined) => Promise<Grant | Response>
  /** Creates the refresh token of a token response. `form` is the request. */
  readonly refreshTokenFor: (grant: Grant, form: URLSearchParams) => string
}

export interface Settings {
  readonly mode: SignInMode
  readonly issuer: string
  /** The URL below which the endpoints are. */
  readonly base: string
  readonly clients: Map<string, Client>
}

const random = (): string => segment(crypto.getRandomValues(new Uint8Array(24)))

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\"", "&quot;")

const page = (heading: string, content: string, status = 200): Response =>
  new Response(`<!doctype html><title>${heading}</title><h1>${heading}</h1>${content}`, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" }
  })

/** The page on which a person decides. Hidden fields repeat the authorization request. */
const consentPage = (request: URLSearchParams): Response => {
  const hidden = [...request].map(([name, value]) =>
    `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`
  )
  const scopes = (request.get("scope") ?? "").split(" ").filter((_) => _ !== "").map((scope) =>
    `<li>${escape(scope)}</li>`
  )
  return page(
    "Allow access",
    `<p>${escape(request.get("client_id") ?? "")} asks for:</p><ul>${scopes.join("")}</ul>` +
      `<form method="post">${hidden.join("")}<input type="text" name="username">` +
      `<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`
  )
}

const words = (text: string | null): ReadonlyArray<string> => (text ?? "").split(" ").filter((_) => _ !== "")

const challengeOf = async (verifier: string): Promise<string> =>
  segment(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))))

export const make = ({ base, clients, issuer, mode }: Settings): SignIn => {
  const codes = new Map<string, Granted>()
  const refreshTokens = new Map<string, RefreshToken>()
  let registrations = 0

  const authorize = (request: EndpointRequest): Response => {
    const form = request.method === "POST" ? readForm(request) : undefined
    if (form instanceof Response) return form
    const query = form ?? new URL(request.url).searchParams
    const clientId = query.get("client_id") ?? ""
    const redirectUri = query.get("redirect_uri") ?? ""
    const client = clients.get(clientId)
    // A client that is unknown, or another redirect URI, must not receive a redirect (RFC 6749 §4.1.2.1).
    if (client === undefined) return page("Unknown client", `<p>${escape(clientId)}`, 400)
    if (!URL.canParse(redirectUri) || client.redirectUris?.includes(redirectUri) === false) {
      return page("Unknown redirect URI", `<p>${escape(redirectUri)}`, 400)
    }
    const redirect = (members: Readonly<Record<string, string>>): Response => {
      const target = new URL(redirectUri)
      const state = query.get("state")
      for (const [name, value] of Object.entries({ ...members, iss: issuer, ...(state === null ? {} : { state }) })) {
        target.searchParams.set(name, value)
      }
      return new Response(null, { status: 302, headers: { location: target.href, "cache-control": "no-store" } })
    }
    const challenge = query.get("code_challenge")
    if (query.get("response_type") !== "code") return redirect({ error: "unsupported_response_type" })
    if (challenge === null || query.get("code_challenge_method") !== "S256") {
      return redirect({ error: "invalid_request", error_description: "PKCE with S256 is required" })
    }
    if (mode === "page" && form === undefined) return consentPage(query)
    if (mode === "page" && query.get("decision") !== "allow") return redirect({ error: "access_denied" })
    const code = random()
    const resources = query.getAll("resource")
    codes.set(code, {
      challenge,
      redirectUri,
      clientId,
      subject: query.get("username") || "alice",
      scopes: words(query.get("scope")),
      audience: resources.length === 0 ? undefined : resources,
      claims: {},
      jkt: query.get("dpop_jkt") ?? undefined
    })
    return redirect({ code })
  }

  const register = (request: EndpointRequest): Response => {
    if (request.method !== "POST") return new Response("", { status: 405, headers: { allow: "POST" } })
    let metadata: Readonly<Record<string, unknown>> = {}
    try {
      metadata = JSON.parse(request.body)
    } catch {
      return reject("invalid_client_metadata", "the body is not JSON")
    }
    const redirectUris = metadata["redirect_uris"]
    const isList = Array.isArray(redirectUris) && redirectUris.length > 0 &&
      redirectUris.every((uri): uri is string => typeof uri === "string" && URL.canParse(uri))
    if (!isList) return reject("invalid_redirect_uri", "redirect_uris is not a list of URLs")
    const method = metadata["token_endpoint_auth_method"] ?? "client_secret_basic"
    const secret = method === "none" ? undefined : random()
    const clientId = `client-${++registrations}`
    clients.set(clientId, { secret, redirectUris })
    return json(
      defined({
        ...metadata,
        client_id: clientId,
        token_endpoint_auth_method: method,
        client_secret: secret,
        client_secret_expires_at: secret === undefined ? undefined : 0
      }),
      201
    )
  }

  const redeemCode = async (form: URLSearchParams, clientId: string, jkt: string | undefined) => {
    const code = form.get("code") ?? ""
    const granted = codes.get(code)
    // A code is valid once, also if the request is wrong.
    codes.delete(code)
    if (granted === undefined || granted.clientId !== clientId) return reject("invalid_grant", "the code is unknown")
    if (granted.redirectUri !== form.get("redirect_uri")) return reject("invalid_grant", "redirect_uri differs")
    if (granted.challenge !== await challengeOf(form.get("code_verifier") ?? "")) {
      return reject("invalid_grant", "code_verifier is wrong")
    }
    if (granted.jkt !== undefined && granted.jkt !== jkt) return reject("invalid_grant", "dpop_jkt differs")
    const { challenge: _challenge, redirectUri: _redirectUri, ...grant } = granted
    return { ...grant, jkt }
  }

  const redeemRefreshToken = (form: URLSearchParams, clientId: string, jkt: string | undefined) => {
    const known = refreshTokens.get(form.get("refresh_token") ?? "")
    if (known === undefined || known.grant.clientId !== clientId) {
      return reject("invalid_grant", "the refresh token is unknown")
    }
    if (known.isUsed) {
      for (const token of known.family) refreshTokens.delete(token)
      return reject("invalid_grant", "the refresh token was used before")
    }
    if (known.grant.jkt !== jkt) return reject("invalid_grant", "the refresh token is bound to another key")
    const scopes = form.has("scope") ? words(form.get("scope")) : known.grant.scopes
    if (scopes?.some((scope) => known.grant.scopes?.includes(scope) !== true)) {
      return reject("invalid_scope", "a refresh cannot add scopes")
    }
    known.isUsed = true
    return { ...known.grant, scopes }
  }

  return {
    metadata: {
      registration_endpoint: `${base}/register`,
      grant_types_supported: ["authorization_code", "refresh_token", "client_credentials"],
      authorization_response_iss_parameter_supported: true
    },
    authorize,
    register,
    redeem: async (form, clientId, jkt) =>
      form.get("grant_type") === "authorization_code"
        ? redeemCode(form, clientId, jkt)
        : redeemRefreshToken(form, clientId, jkt),
    refreshTokenFor: (grant, form) => {
      const token = random()
      const previous = refreshTokens.get(form.get("refresh_token") ?? "")
      const family = previous?.family ?? new Set()
      family.add(token)
      refreshTokens.set(token, { grant: previous?.grant ?? grant, family, isUsed: false })
      return token
    }
  }
}
