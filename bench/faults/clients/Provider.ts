import { randomUUID } from "node:crypto"
import { type ConnectOptions, credentials, type World } from "./World.ts"

/**
 * The part that an application writes for a client library: it stores values, and takes the person to the authorization server. One
 * class suits all libraries, because each calls the methods that it knows.
 */
export class Provider {
  // No server listens at this URL, because the application reads the URL of the callback instead.
  readonly redirectUrl = "http://127.0.0.1/callback"
  readonly clientMetadata: Readonly<Record<string, unknown>>
  readonly #world: World
  readonly #isRegistered: boolean
  #callback: URLSearchParams | undefined

  constructor(world: World, { isRegistered }: ConnectOptions) {
    this.#world = world
    this.#isRegistered = isRegistered
    // An application with a registered client stores no other registration.
    if (!isRegistered) this.saveClientInformation = this.#save("client")
    this.clientMetadata = {
      client_name: "client",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: isRegistered ? "client_secret_basic" : "none"
    }
  }

  saveClientInformation?: (value: unknown) => void

  /** Returns the key of DPoP proofs, if the application sets one. */
  dpop?: () => unknown

  /** Returns the parameters of the callback since the last call. `undefined`: the library requested no sign-in. */
  takeCallback(): URLSearchParams | undefined {
    const callback = this.#callback
    this.#callback = undefined
    return callback
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    this.#callback = new URL(await this.#world.person.signIn(url.href)).searchParams
  }

  clientInformation(): unknown {
    return this.#isRegistered
      ? {
        client_id: credentials.clientId,
        client_secret: credentials.clientSecret,
        issuer: this.#world.servers.issuer,
        redirect_uris: [this.redirectUrl]
      }
      : this.#world.values.get("client")
  }

  #save = (key: string) => (value: unknown) => void this.#world.values.set(key, value)
  #read = (key: string) => (): any => this.#world.values.get(key)

  state = () => {
    const state = randomUUID()
    this.#world.values.set("state", state)
    return state
  }
  storedState = this.#read("state")
  saveState = this.#save("state")
  tokens = this.#read("tokens")
  saveTokens = this.#save("tokens")
  codeVerifier = this.#read("verifier")
  saveCodeVerifier = this.#save("verifier")
  discoveryState = this.#read("discovery")
  saveDiscoveryState = this.#save("discovery")
  authorizationServerInformation = this.#read("authorizationServer")
  saveAuthorizationServerInformation = this.#save("authorizationServer")

  /** Deletes the values that the library rejects. */
  invalidateCredentials = (scope: string) => {
    const names: Readonly<Record<string, ReadonlyArray<string>>> = {
      all: ["client", "tokens", "verifier", "discovery", "authorizationServer"],
      client: ["client"],
      tokens: ["tokens"],
      verifier: ["verifier"],
      discovery: ["discovery", "authorizationServer"]
    }
    for (const name of names[scope] ?? []) this.#world.values.delete(name)
  }
}
