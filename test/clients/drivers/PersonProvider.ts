import { randomUUID } from "node:crypto"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"

/**
 * The part that an application writes for a client library: it stores what the library saves, and takes the person to the
 * authorization server. One class suits all libraries, because each calls the methods that it knows.
 */
export class PersonProvider {
  // No server listens at this URL: the user agent returns the URL of the redirect instead of opening it.
  readonly redirectUrl = "http://127.0.0.1/callback"
  readonly clientMetadata = {
    client_name: "client",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none"
  }
  readonly #userAgent = new UserAgent({ username: "alice" })
  readonly #saved = new Map<string, unknown>()
  #answer: URLSearchParams | undefined

  /** Returns the parameters of the redirect since the last call, or `undefined` if the library requested no sign-in. */
  takeAnswer(): URLSearchParams | undefined {
    const answer = this.#answer
    this.#answer = undefined
    return answer
  }

  async redirectToAuthorization(authorizationUrl: URL) {
    const { searchParams } = await this.#userAgent.authorize(authorizationUrl)
    const error = searchParams.get("error")
    if (error !== null) throw new Error(`${error}: ${searchParams.get("error_description")}`)
    if (searchParams.get("state") !== this.storedState()) throw new Error("The redirect belongs to another sign-in")
    this.#answer = searchParams
  }

  #save = (key: string) => (value: unknown) => void this.#saved.set(key, value)
  #read = (key: string) => (): any => this.#saved.get(key)

  state = () => {
    const state = randomUUID()
    this.#saved.set("state", state)
    return state
  }
  storedState = this.#read("state")
  saveState = this.#save("state")
  clientInformation = this.#read("client")
  saveClientInformation = this.#save("client")
  tokens = this.#read("tokens")
  saveTokens = this.#save("tokens")
  codeVerifier = this.#read("verifier")
  saveCodeVerifier = this.#save("verifier")
  discoveryState = this.#read("discovery")
  saveDiscoveryState = this.#save("discovery")
  authorizationServerInformation = this.#read("authorizationServer")
  saveAuthorizationServerInformation = this.#save("authorizationServer")
}
