import { PersonProvider } from "../../../test/clients/drivers/PersonProvider.ts"
import { type ConnectOptions, credentials, type World } from "./World.ts"

/** The provider of a client in a scenario: registered or not, with or without a key of DPoP proofs. */
export class Provider extends PersonProvider {
  readonly #world: World

  constructor(world: World, { isRegistered }: ConnectOptions) {
    super({ signIn: world.person.signIn, values: world.values })
    this.#world = world
    if (!isRegistered) return
    this.clientMetadata = { ...this.clientMetadata, token_endpoint_auth_method: "client_secret_basic" }
    this.clientInformation = () => ({
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
      issuer: world.servers.issuer,
      redirect_uris: [this.redirectUrl]
    })
    // An application with a registered client stores no other registration.
    this.saveClientInformation = undefined
  }

  /** Returns the key of DPoP proofs, if the application sets one. */
  dpop?: () => unknown

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
