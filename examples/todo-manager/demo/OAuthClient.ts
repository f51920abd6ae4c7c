import type { OAuthClientProvider, OAuthDiscoveryState } from "@modelcontextprotocol/sdk/client/auth.js"
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens
} from "@modelcontextprotocol/sdk/shared/auth.js"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { UserAgent } from "../../authorization-server/UserAgent.ts"

/** The state that the official client needs, in memory. Sends the person to sign in with `userAgent`. */
export class OAuthClient implements OAuthClientProvider {
  // Nothing listens there: the user agent hands over the URL instead of opening it.
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
    // RFC 9207: an answer from another authorization server than the one that was asked is not to be used.
    assert.equal(searchParams.get("iss"), this.#discovery?.authorizationServerUrl, "another issuer answers")
    this.#answer = searchParams
  }

  /** The answer to the last sign-in; good for one use. */
  takeAnswer(): URLSearchParams {
    const answer = this.#answer
    this.#answer = undefined
    assert(answer !== undefined, "no person has signed in")
    return answer
  }

  /** The code in that answer. */
  takeCode(): string {
    const code = this.takeAnswer().get("code")
    assert(code !== null, "the answer has no code")
    return code
  }
}
