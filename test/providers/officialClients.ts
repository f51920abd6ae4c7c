/** Signs in to an MCP server with the official clients, of the SDKs v1 and v2. */
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import type { OAuthClientProvider, OAuthDiscoveryState } from "@modelcontextprotocol/sdk/client/auth.js"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/sdk/shared/auth.js"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"

export interface SignIn {
  /** The URL of the MCP server. */
  readonly url: string
  /** The client id of a client that is registered beforehand. Default: the client registers itself. */
  readonly clientId?: string
  /** Signs the person in, and returns the URL of the redirect to the client. Default: alice signs in with a new browser. */
  readonly browse?: (authorizationUrl: URL) => Promise<URL>
  /** Sends the requests of the client. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
}

export interface SignedIn {
  readonly clientId: string
  readonly tokens: OAuthTokens
  /** Calls a tool after the sign-in. */
  readonly callTool: (name: string, args: Record<string, unknown>) => Promise<Readonly<Record<string, unknown>>>
  readonly close: () => Promise<void>
}

export interface OfficialClient {
  readonly name: string
  /** Rejects with the error of the client if the sign-in fails. */
  readonly signIn: (options: SignIn) => Promise<SignedIn>
}

/** The redirect URI of the clients. No server listens there, because the browser returns the URL instead of opening it. */
export const redirectUri = "http://127.0.0.1/callback"

/** Stores the state of an official client in memory, and signs the person in. */
export class PersonProvider implements OAuthClientProvider {
  readonly redirectUrl = redirectUri
  readonly clientMetadata = {
    client_name: "test",
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none"
  }
  readonly #browse: (authorizationUrl: URL) => Promise<URL>
  readonly #state = randomUUID()
  #client: OAuthClientInformationMixed | undefined
  #tokens: OAuthTokens | undefined
  #verifier = ""
  #discovery: OAuthDiscoveryState | undefined
  #answer: URLSearchParams | undefined

  constructor({ browse, clientId }: Pick<SignIn, "browse" | "clientId"> = {}) {
    const userAgent = new UserAgent({ username: "alice" })
    this.#browse = browse ?? ((url) => userAgent.authorize(url))
    this.#client = clientId === undefined ? undefined : { client_id: clientId }
  }

  state() {
    return this.#state
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
    const { searchParams } = await this.#browse(authorizationUrl)
    assert.equal(searchParams.get("error"), null, String(searchParams))
    assert.equal(searchParams.get("state"), this.#state, "the answer belongs to another sign-in")
    // RFC 9207: rejects the response of an authorization server other than the one to which the request was sent.
    const issuer = searchParams.get("iss")
    if (issuer !== null) assert.equal(issuer, this.#discovery?.authorizationServerUrl, "another issuer answers")
    this.#answer = searchParams
  }

  /** Returns the parameters of the last redirect to the client. Fails if there was no redirect since the last call. */
  takeAnswer(): URLSearchParams {
    const answer = this.#answer
    this.#answer = undefined
    assert(answer !== undefined, "the client did not open the authorization endpoint")
    return answer
  }
}

interface Connection extends Pick<SignedIn, "callTool" | "close"> {
  readonly connect: () => Promise<void>
  readonly finishAuth: (answer: URLSearchParams) => Promise<void>
}

const info = { name: "test", version: "1.0.0" }

const connectV1 = ({ fetch = globalThis.fetch, url }: SignIn, authProvider: PersonProvider): Connection => {
  const client = new ClientV1(info)
  const transport = new TransportV1(new URL(url), { authProvider, fetch })
  return {
    connect: () => client.connect(transport as never),
    finishAuth: (answer) => transport.finishAuth(answer.get("code") ?? ""),
    callTool: (name, args) => client.callTool({ name, arguments: args }),
    close: () => client.close()
  }
}

const connectV2 = ({ fetch = globalThis.fetch, url }: SignIn, authProvider: PersonProvider): Connection => {
  const client = new ClientV2(info, { versionNegotiation: { mode: "auto" } })
  const transport = new TransportV2(new URL(url), { authProvider: authProvider as never, fetch })
  return {
    connect: () => client.connect(transport),
    // The client of v2 also checks the issuer in the redirect (RFC 9207), so it needs all parameters.
    finishAuth: (answer) => transport.finishAuth(answer),
    callTool: (name, args) => client.callTool({ name, arguments: args }),
    close: () => client.close()
  }
}

const make = (name: string, connectWith: typeof connectV1): OfficialClient => ({
  name,
  signIn: async (options) => {
    const store = new PersonProvider(options)
    const first = connectWith(options, store)
    try {
      await assert.rejects(first.connect(), (error: Error) => {
        // Rethrows any other error as it is, because it is the reason why the sign-in fails.
        if (error.constructor.name !== "UnauthorizedError") throw error
        return true
      })
      await first.finishAuth(store.takeAnswer())
    } finally {
      await first.close()
    }
    const tokens = store.tokens()
    const clientId = store.clientInformation()?.client_id
    assert(tokens !== undefined && clientId !== undefined)
    const { callTool, close, connect } = connectWith(options, store)
    await connect()
    return { clientId, tokens, callTool, close }
  }
})

export const clients: ReadonlyArray<OfficialClient> = [make("SDK v1", connectV1), make("SDK v2", connectV2)]
