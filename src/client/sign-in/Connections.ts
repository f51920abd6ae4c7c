/**
 * Connects many accounts of an application to many MCP servers. People sign in with a browser, and the application acts for them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Discovery from "../../outbound/Discovery.ts"
import * as Fetcher from "../../outbound/Fetcher.ts"
import * as FormPost from "../../outbound/FormPost.ts"
import * as pinnedFetcher from "../../outbound/PinnedFetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { RecordStore } from "../../store/records/RecordStore.ts"
import { send } from "../AuthorizedFetch.ts"
import { mark as dpopMark, rule as dpopRule } from "../BoundKey.ts"
import type { Unavailable } from "../ClientError.ts"
import * as clientProof from "../ClientProof.ts"
import type { DpopKeys } from "../DpopKeys.ts"
import * as observation from "../Observation.ts"
import * as serverDiscovery from "../ServerDiscovery.ts"
import { checkResource, observing, type Session } from "../Session.ts"
import * as tokenKeeper from "../TokenKeeper.ts"
import type { Token } from "../TokenSource.ts"
import * as accounts from "./AccountIndex.ts"
import * as registration from "./Registration.ts"
import * as signIns from "./SignIn.ts"
import * as signInOptions from "./SignInOptions.ts"
import * as storedToken from "./StoredToken.ts"

/**
 * The options that every kind of sign-in shares, the description of the client, and an authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export type { AllowedIssuer, ClientOptions, SignInOptions } from "./SignInOptions.ts"

/**
 * The results and errors of a sign-in.
 *
 * @category models
 * @since 0.1.0
 */
export type { Completed, CompleteError } from "./SignIn.ts"

/**
 * An account of the application at an MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export type { Connection } from "./StoredToken.ts"

/**
 * The options of connections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends signInOptions.SignInOptions {
  /** The URL of the application to which authorization servers send people back. The scheme must be https, except on loopback. */
  readonly redirectUri: string
  /** Binds tokens to keys (RFC 9449): a value of `DpopKeys.make`. Default: tokens are of the type Bearer. */
  readonly dpop?: DpopKeys | undefined
  /** Records the steps of all connections: a value of `ClientEvents.make`. Default: none. */
  readonly events?: observation.Recorder | undefined
  /**
   * Sends all requests. Default: the `fetch` of the platform, and on Node, for metadata, registrations and tokens, `node:https` with
   * connections whose addresses are checked.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/**
 * The end of a connection. `isRevoked` tells whether the authorization server has confirmed that the token is revoked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Disconnected extends storedToken.Connection {
  /** Whether the authorization server has confirmed that the token is revoked. */
  readonly isRevoked: boolean
}

/**
 * Sends the requests of accounts to MCP servers, and lets people sign in.
 *
 * **Details**
 *
 * - `fetch` returns a function that sends requests as the platform's `fetch` does. A request to the MCP server has the token of the
 *   account. The function rejects with `SignInRequired` if a person must sign in first.
 * - `complete` ends a sign-in. Call it with the URL of the request to `redirectUri`, and with the account of the session in which the
 *   request arrives. Another account is rejected.
 * - `disconnect` removes the tokens of an account for one MCP server or for all, and revokes them at the authorization servers (RFC
 *   7009).
 *
 * @category services
 * @since 0.1.0
 */
export class Connections extends Context.Service<Connections, {
  readonly fetch: (
    connection: storedToken.Connection
  ) => (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>
  readonly complete: (
    callback: { readonly url: string },
    options: { readonly account: string }
  ) => Effect.Effect<signIns.Completed, signIns.CompleteError>
  readonly disconnect: (
    options: { readonly account: string; readonly resource?: string | undefined }
  ) => Effect.Effect<ReadonlyArray<Disconnected>, Unavailable>
}>()("effect-mcp-auth/Connections") {}

const table: ConfigOption.Table<keyof Options> = {
  ...signInOptions.table,
  redirectUri: true,
  dpop: dpopRule,
  events: observation.rule,
  fetch: ConfigOption.functionThat("sends a request, as the platform's fetch does")
}

const checkOptions = (options: Options): void => {
  ConfigOption.check(options, "", table, "Give them with client, redirectUri and allowIssuers")
  signInOptions.checkPresent(options)
  signInOptions.checkRedirectUri(options.redirectUri, "redirectUri")
}

/** The number of connections whose state a process keeps. The state of others is read from the store again. */
const maximumSessions = 10_000

/** The longest name of an account, in characters. */
const longestAccount = 1_024

/**
 * Creates connections. They keep their records in the `RecordStore`. Fails with `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * The first request of an account is sent without a token. If the MCP server answers 401, the client discovers the authorization
 * server, registers itself there if necessary, and the request fails with `SignInRequired`. After the sign-in, the token is refreshed
 * about one minute before it expires: once, even if several processes with the same store use it. A 403 that asks for scopes leads
 * to another `SignInRequired` with the old and the new scopes.
 *
 * The client registers in the order of the MCP specification: with the `clientId` of `allowIssuers`, with `client.metadataUrl`, or
 * dynamically (RFC 7591).
 *
 * **Gotchas**
 *
 * Records contain tokens. Seal them with `SealedStore` in a store that others can read. If people enter URLs of MCP servers, check
 * them first, or give a `fetch` that cannot reach your private network: a connection may name a server in it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Connections["Service"], AuthConfigError, RecordStore | Scope.Scope> {
  yield* Effect.fromResult(ConfigOption.attempt(() => checkOptions(options)))
  const store = yield* RecordStore
  const scope = yield* Effect.scope
  const platform: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const sender = yield* pinnedFetcher.forClient(options.fetch)
  const { fetcher } = sender
  const context = Context.merge(yield* Effect.context<never>(), sender.context)
  const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, fetcher)
  const issuers = signInOptions.readIssuers(options)
  for (const [path, credentials] of issuers.credentials) yield* clientProof.check(credentials, path)
  const { client, redirectUri } = options
  const keys = options.dpop?.[dpopMark]()
  const registrations = yield* registration.make({ store, fetcher, client, issuers, redirectUris: [redirectUri] })
  const index = accounts.make(store)
  const signIn = signIns.make({ store, fetcher, issuers, registrations, keys, addConnection: index.add })
  const sources = serverDiscovery.makeSources()
  const makeDiscover = signInOptions.discoveryFor(options)
  const sessions = new BoundedMap<string, Session>(maximumSessions)
  const run = Effect.runPromiseExitWith(context)
  const observe = yield* observation.observe(options.events)

  const sessionKey = ({ account, resource }: storedToken.Connection) => JSON.stringify([account, resource])

  const makeSession = Effect.fnUntraced(function*(
    connection: storedToken.Connection,
    resource: URL,
    key: string
  ) {
    const requireSignIn = signIns.requireSignIn(signIn, connection, redirectUri, monotonic.millis)
    const source = yield* signIn.makeSource(connection, requireSignIn)
    const discover = makeDiscover(fetcher, discovery, resource, issuers.allowed, sources)
    const keeper = yield* Effect.provideService(
      tokenKeeper.make({ source, scopes: undefined, discover }),
      Scope.Scope,
      scope
    )
    // Another request can have created the session in the meantime.
    const session: Session = sessions.use(key) ?? {
      resource,
      keeper,
      observe: observing(observe, resource, connection.account)
    }
    sessions.set(key, session)
    return session
  })

  const invalidate = (connection: storedToken.Connection) =>
    Effect.suspend(() => sessions.get(sessionKey(connection))?.keeper.invalidate ?? Effect.void)

  /** Revokes the refresh token, and with it usually its access tokens, or else the access token (RFC 7009 §2.1). */
  const revoke = Effect.fnUntraced(function*(token: Token) {
    const { clientId, issuer, refreshToken, value } = token
    const found = clientId === undefined ? undefined : yield* registrations.known(issuer, clientId)
    const metadata = yield* discovery.metadata(sources.sourceFor(issuer), "token_endpoint")
    if (found === undefined || metadata.revocation_endpoint === undefined) return false
    const url = yield* registration.checkEndpoint(metadata.revocation_endpoint, issuer, "revocation_endpoint")
    const proof = yield* clientProof.make(
      found.credentials,
      { issuer, methods: metadata.token_endpoint_auth_methods_supported },
      "allowIssuers"
    )
    const { status } = yield* FormPost.postForm(fetcher, {
      url,
      accept: "application/json",
      proof,
      parameters: [
        ["token", Redacted.value(refreshToken ?? value)],
        ["token_type_hint", refreshToken === undefined ? "access_token" : "refresh_token"]
      ]
    }, { issuer, allowInsecureHttp: false })
    return status === 200
  })

  const disconnectFrom = Effect.fnUntraced(function*(connection: storedToken.Connection) {
    const stored = yield* storedToken.make(store, connection, keys)
    const take = Effect.tap(stored.read, (token) => token === undefined ? Effect.void : stored.remove(token))
    // Removed before the revocation, so that no process uses the token again, even if the authorization server does not answer. A
    // refresh that runs ends first, because its new tokens would be neither stored nor revoked.
    const token = yield* stored.exclusively(take).pipe(
      Effect.timeout("10 seconds"),
      Effect.catch(() => take)
    )
    yield* invalidate(connection)
    yield* index.remove(connection)
    if (token === undefined) return undefined
    const revocation = observation.trace("revoke", token.issuer, revoke(token))
    const isRevoked = yield* Effect.orElseSucceed(revocation, () => false)
    yield* observation.record("Disconnected", { issuer: token.issuer, isRevoked })
    return { ...connection, isRevoked }
  })

  return {
    fetch: (connection) => {
      const resource = checkConnection(connection)
      const key = sessionKey(connection)
      return (input, init) => {
        const known = sessions.use(key)
        return known !== undefined
          ? send(known, platform, run, input, init)
          : Effect.runPromiseWith(context)(makeSession(connection, resource, key)).then((session) =>
            send(session, platform, run, input, init)
          )
      }
    },
    complete: Effect.fnUntraced(function*({ url }, { account }) {
      const completed = yield* observe(signIn.complete(url, account), { account })
      yield* invalidate(completed)
      return completed
    }, Effect.provide(sender.context)),
    disconnect: Effect.fnUntraced(function*({ account, resource }) {
      const resources = resource === undefined ? yield* index.resources(account) : [resource]
      const ended = yield* Effect.forEach(resources, (each) => {
        const connection = { account, resource: each }
        return observe(disconnectFrom(connection), connection)
      })
      return ended.filter((each) => each !== undefined)
    }, Effect.provide(sender.context))
  }
})

const checkConnection = ({ account, resource }: storedToken.Connection): URL => {
  if (typeof account !== "string" || account === "" || account.length > longestAccount) {
    throw ConfigOption.invalid(
      "account",
      account,
      `a text of at most ${longestAccount} characters`,
      "Write the identifier of the account in your application"
    )
  }
  return checkResource(resource)
}

/**
 * Provides connections, as `make` creates them.
 *
 * **Example** (A web application with one process)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Connections } from "effect-mcp-auth/sign-in"
 * import { MemoryStore } from "effect-mcp-auth/store"
 *
 * const ConnectionsLive = Connections.layer({
 *   client: { name: "Calendar assistant" },
 *   redirectUri: "https://assistant.example.com/oauth/callback",
 *   allowIssuers: ["https://auth.example.com"]
 * }).pipe(Layer.provide(MemoryStore.layer()))
 *
 * const callTodos = Effect.gen(function*() {
 *   const connections = yield* Connections.Connections
 *   return connections.fetch({ account: "alice", resource: "https://todos.example.com/mcp" })
 * }).pipe(Effect.provide(ConnectionsLive))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Connections, AuthConfigError, RecordStore> =>
  Layer.effect(Connections, make(options))
