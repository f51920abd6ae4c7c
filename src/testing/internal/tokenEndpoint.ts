import { acceptAssertion, exchangeIdToken, idJag, type IdJagGrant } from "./assertionGrants.ts"
import { verifyProof } from "./dpopProof.ts"
import {
  authenticate,
  type EndpointRequest,
  type Grant,
  isActive,
  type IssuerState,
  json,
  readForm,
  reject
} from "./endpoints.ts"
import { defined } from "./keys.ts"
import type { SignIn } from "./signIn.ts"

export const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
export const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

const accessToken = "urn:ietf:params:oauth:token-type:access_token"

/** A token or an ID-JAG that was minted, and its lifetime in seconds. */
export interface Minted {
  readonly token: string
  readonly expiresIn: number
}

/** A client without credentials (RFC 6749 §2.1). */
const isPublic = (state: IssuerState, clientId: string): boolean => {
  const client = state.clients.get(clientId)
  return client !== undefined && client.secret === undefined && client.jwks === undefined && client.bearer === undefined
}

/** Mints what the token endpoint issues. */
export interface Mint {
  readonly accessToken: (grant: Grant) => Promise<Minted>
  readonly idJag: (grant: IdJagGrant) => Promise<Minted>
}

/**
 * Issues a token for a sign-in, a refresh token, client credentials, token exchange (RFC 8693), on-behalf-of, an ID-JAG or a JWT of a workload (RFC 7523), and
 * an ID-JAG for an ID token. If the request has a DPoP proof, the token is bound to the key of the proof (RFC 9449 §5).
 */
export const token = async (
  request: EndpointRequest,
  state: IssuerState,
  nonce: string | undefined,
  mint: Mint,
  signIn: SignIn | undefined
): Promise<Response> => {
  const form = readForm(request)
  if (form instanceof Response) return form
  const type = form.get("grant_type")
  const isOfPerson = signIn !== undefined && (type === "authorization_code" || type === "refresh_token")
  const clientId = form.get("client_id") ?? ""
  const client = isOfPerson && isPublic(state, clientId) ? clientId : await authenticate(request, form, state)
  // The JWT of a workload is its only credential.
  if (client instanceof Response && type !== jwtBearer) return client
  const proof = request.headers["dpop"]
  const jkt = proof === undefined ? undefined : await verifyProof(proof, request, state, nonce)
  if (jkt instanceof Response) return jkt

  const scopes = form.get("scope")?.split(" ").filter((_) => _ !== "")
  const audience = [...form.getAll("resource"), ...form.getAll("audience")]
  const common = { scopes, audience: audience.length === 0 ? undefined : audience, jkt, claims: {} }
  const issue = async (grant: Grant, more: Readonly<Record<string, unknown>> = {}) => {
    const { expiresIn, token } = await mint.accessToken(grant)
    return json(defined({
      access_token: token,
      token_type: jkt === undefined ? "Bearer" : "DPoP",
      expires_in: expiresIn,
      scope: grant.scopes?.join(" "),
      ...more
    }))
  }
  if (type === jwtBearer && form.get("requested_token_use") !== "on_behalf_of") {
    const asserted = await acceptAssertion(form.get("assertion") ?? "", client, scopes, request, state)
    // The token is for the MCP server that the ID-JAG names, whichever resource the request names.
    return asserted instanceof Response ? asserted : issue({ ...common, ...asserted, audience: [state.resource] })
  }
  if (client instanceof Response) return client
  if (isOfPerson) {
    const grant = await signIn.redeem(form, client, jkt)
    return grant instanceof Response ? grant : issue(grant, { refresh_token: signIn.refreshTokenFor(grant, form) })
  }
  if (type === tokenExchange && form.get("requested_token_type") === idJag) {
    const grant = exchangeIdToken(form, client, scopes, state)
    if (grant instanceof Response) return grant
    const { expiresIn, token } = await mint.idJag(grant)
    const scope = scopes?.join(" ")
    return json(
      defined({ issued_token_type: idJag, access_token: token, token_type: "N_A", expires_in: expiresIn, scope })
    )
  }
  switch (type) {
    case "client_credentials":
      return issue({
        ...common,
        clientId: client,
        subject: client,
        claims: state.clients.get(client)?.claims ?? {}
      })
    case tokenExchange:
    case jwtBearer: {
      const exchanged = form.get(type === tokenExchange ? "subject_token" : "assertion")
      const known = exchanged === null ? undefined : state.issued.get(exchanged)
      if (known === undefined || !isActive(known, state.now)) {
        return reject(type === tokenExchange ? "invalid_request" : "invalid_grant", "the token is not active")
      }
      return issue(
        { ...common, clientId: client, subject: String(known.claims["sub"]), claims: { act: { sub: client } } },
        type === tokenExchange ? { issued_token_type: accessToken } : {}
      )
    }
    default:
      return reject(
        "unsupported_grant_type",
        "this issuer supports client_credentials, token-exchange and jwt-bearer"
      )
  }
}
