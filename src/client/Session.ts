import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Discovery from "../outbound/Discovery.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import * as UrlOption from "../protocol/UrlOption.ts"
import { mark as dpopMark, rule as dpopRule } from "./BoundKey.ts"
import { fromCredentials } from "./CredentialsSource.ts"
import type { DpopKeys } from "./DpopKeys.ts"
import type * as Grant from "./Grant.ts"
import { mark, rule } from "./GrantContent.ts"
import { type Observe, observe, type Recorder, rule as recorderRule } from "./Observation.ts"
import * as serverDiscovery from "./ServerDiscovery.ts"
import * as tokenKeeper from "./TokenKeeper.ts"

/* Checks the options of a client, and creates its session with one MCP server. */

/**
 * The options of a client for one MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The URL of the MCP server, such as `https://todos.example.com/mcp`. The scheme must be https, except on loopback. */
  readonly resource: string
  /** How the client obtains tokens: a value of `Grant`. */
  readonly grant: Grant.Grant
  /** The scopes to request if the challenge of the server names none. Default: `scopes_supported` of its metadata. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /**
   * Binds tokens to a key of the client (RFC 9449): a value of `DpopKeys.make`. Default: tokens are of the type Bearer.
   */
  readonly dpop?: DpopKeys | undefined
  /** Records the steps of the client: a value of `ClientEvents.make`. Default: none. */
  readonly events?: Recorder | undefined
}

/**
 * The options of a client that sends its requests with `fetch`.
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchOptions extends Options {
  /**
   * Sends all requests of the client. Default: the `fetch` of the platform, and on Node, for metadata and tokens, `node:https` with
   * connections whose addresses are checked.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
}

const table: ConfigOption.Table<keyof FetchOptions> = {
  resource: true,
  grant: rule,
  scopes: ConfigOption.rule(
    (value) =>
      Array.isArray(value) && value.every((scope) => typeof scope === "string" && ScopeToken.isScopeToken(scope)),
    "a list of scopes",
    "Write one such as [\"todos:read\"]"
  ),
  dpop: dpopRule,
  events: recorderRule,
  fetch: ConfigOption.functionThat("sends a request, as the platform's fetch does")
}

/** The advice in the error for an argument that is not an object. */
export const advice = "Give them with resource and grant"

/** Checks the options, and returns the URL of the MCP server. Throws `AuthConfigError`. */
export const check = (options: FetchOptions): URL => {
  ConfigOption.check(options, "", table, advice)
  // Options that are missing do not reach their rules.
  rule(options.grant, "grant")
  return checkResource(options.resource)
}

/** Checks the URL of an MCP server. Throws `AuthConfigError`. */
export const checkResource = (resource: unknown): URL =>
  UrlOption.check(resource, "resource", {
    allowsHttp: false,
    allowsQuery: true,
    advice: "Write the URL of the MCP server, such as \"https://todos.example.com/mcp\"",
    adviceOnHttp: "Use https",
    adviceOnParts: "Write the URL without this part"
  })

/** A client and one MCP server. */
export interface Session {
  readonly resource: URL
  readonly keeper: tokenKeeper.TokenKeeper
  /** Runs the effects of a request. Records their steps if the client has the option `events`. */
  readonly observe: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Returns the member `observe` of a session. */
export const observing = (observe: Observe, resource: URL, account?: string): Session["observe"] => {
  const subject = { account, resource: resource.href }
  return (effect) => observe(effect, subject)
}

/** Creates the session of a client. The scope ends its background work. */
export const makeSession = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<Session, AuthConfigError, Fetcher.Fetcher | Scope.Scope> {
  const resource = yield* Effect.fromResult(ConfigOption.attempt(() => check(options)))
  const fetcher = yield* Fetcher.Fetcher
  const discovery = yield* Discovery.make
  const content = options.grant[mark]
  const { makeDiscover = serverDiscovery.make, makeSource } = "makeSource" in content
    ? content
    : { makeSource: fromCredentials(content) }
  const discover = makeDiscover(fetcher, discovery, resource, content.issuers)
  const source = yield* makeSource({ fetcher, resource, keys: options.dpop?.[dpopMark]() })
  const keeper = yield* tokenKeeper.make({ source, scopes: options.scopes, discover })
  return { resource, keeper, observe: observing(yield* observe(options.events), resource) }
})
