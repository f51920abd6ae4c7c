import type { OAuthClientProvider, OAuthDiscoveryState } from "@modelcontextprotocol/sdk/client/auth.js"
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens
} from "@modelcontextprotocol/sdk/shared/auth.js"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { UserAgent } from "../../authorization-server/UserAgent.ts"

/** Stores the state of the official client in memory, and signs the person in with `userAgent`. */
export class OAuthClient implements OAuthClientProvider {
  // No server listens at this URL: the user agent returns the URL of the redirect instead of opening it.
  readonly redirectUrl = "http://127.0.0.1/callback"
  readonly clientMetadata: OAuthClientMetadata = {
    client_name: "demo",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none"
  }
  readonly #userAgent: UserAgent
  #client: OAuthClientInformationMixed | undefined
  #tokens: OAuthTokens | undefined
  #verifier: string | undefined
  #state: string | undefined
  #discovery: OAuthDiscoveryState | undefined
  #answer: URLSearchParams | undefined

  constructor(userAgent: UserAgent) {
    this.#userAgent = userAgent
  }

  state() {
    return this.#state = randomUUID()
  }

  clientInformation() {
    return this.#client
  }

  saveClientInformation(client: OAuthClientInformationMixed) {
    this.#client = client
  }

  tokens() {
    return this.#tokens
  }

  saveTokens(tokens: OAuthTokens) {
    this.#tokens = tokens
  }

  codeVerifier() {
    assert(this.#verifier !== undefined, "the client has made no PKCE verifier yet")
    return this.#verifier
  }

  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier
  }

  discoveryState() {
    return this.#discovery
  }

  saveDiscoveryState(state: OAuthDiscoveryState) {
    this.#discovery = state
  }

  async redirectToAuthorization(authorizationUrl: URL) {
    const { searchParams } = await this.#userAgent.authorize(authorizationUrl)
    assert.equal(searchParams.get("error"), null, "the authorization server rejects")
    assert.equal(searchParams.get("state"), this.#state, "the answer belongs to another sign-in")
    // RFC 9207: rejects the response of an authorization server other than the one to which the request was sent.
    assert.equal(searchParams.get("iss"), this.#discovery?.authorizationServerUrl, "another issuer answers")
    this.#answer = searchParams
  }

  /** Returns the parameters of the last redirect. Fails if there was no redirect since the last call. */
  takeAnswer(): URLSearchParams {
    const answer = this.#answer
    this.#answer = undefined
    assert(answer !== undefined, "no person has signed in")
    return answer
  }

  /** Returns the authorization code of the last redirect. */
  takeCode(): string {
    const code = this.takeAnswer().get("code")
    assert(code !== null, "the answer has no code")
    return code
  }
}
