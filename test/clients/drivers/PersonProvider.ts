import { TestBrowser } from "effect-mcp-auth/testing"
import { randomUUID } from "node:crypto"

export interface Options {
  /** Signs the person in, and returns the URL of the callback. Default: alice signs in with a new browser. */
  readonly signIn?: (authorizationUrl: string) => Promise<string>
  /** The values that the library saves. Default: a new map. */
  readonly values?: Map<string, unknown>
}

/**
 * The part that an application writes for a client library: it stores what the library saves, and takes the person to the
 * authorization server. One class suits all libraries, because each calls the methods that it knows.
 */
export class PersonProvider {
  // No server listens at this URL: the browser returns the URL of the callback instead of opening it.
  readonly redirectUrl = "http://127.0.0.1/callback"
  clientMetadata: Readonly<Record<string, unknown>> = {
    client_name: "client",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none"
  }
  readonly #signIn: (authorizationUrl: string) => Promise<string>
  readonly #values: Map<string, unknown>
  #callback: URLSearchParams | undefined

  constructor({ signIn = TestBrowser.start().signIn, values = new Map() }: Options = {}) {
    this.#signIn = signIn
    this.#values = values
  }

  /** Returns the parameters of the callback since the last call, or `undefined` if the library requested no sign-in. */
  takeCallback(): URLSearchParams | undefined {
    const callback = this.#callback
    this.#callback = undefined
    return callback
  }

  async redirectToAuthorization(authorizationUrl: URL): Promise<void> {
    this.#callback = new URL(await this.#signIn(authorizationUrl.href)).searchParams
  }

  #save = (key: string) => (value: unknown) => void this.#values.set(key, value)
  #read = (key: string) => (): any => this.#values.get(key)

  state = () => {
    const state = randomUUID()
    this.#values.set("state", state)
    return state
  }
  storedState = this.#read("state")
  saveState = this.#save("state")
  clientInformation = this.#read("client")
  saveClientInformation: ((value: unknown) => void) | undefined = this.#save("client")
  tokens = this.#read("tokens")
  saveTokens = this.#save("tokens")
  codeVerifier = this.#read("verifier")
  saveCodeVerifier = this.#save("verifier")
  discoveryState = this.#read("discovery")
  saveDiscoveryState = this.#save("discovery")
  authorizationServerInformation = this.#read("authorizationServer")
  saveAuthorizationServerInformation = this.#save("authorizationServer")
}
