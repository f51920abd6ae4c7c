/**
 * Signs requests to MCP servers in: discovers the authorization server, obtains tokens and sends them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Fetcher from "../outbound/Fetcher.ts"
import * as pinnedFetcher from "../outbound/PinnedFetcher.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { send } from "./AuthorizedFetch.ts"
import { check, type FetchOptions, makeSession } from "./Session.ts"

/**
 * The options of a client for one MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export type { FetchOptions, Options } from "./Session.ts"

/**
 * A client of one MCP server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client {
  /**
   * Sends a request as the platform's `fetch` does. A request to the MCP server has a token; other requests have none. Rejects
   * with a `ClientError` if the client cannot obtain a token that the server accepts.
   */
  readonly fetch: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>
  /** Ends the background work of the client. */
  readonly dispose: () => Promise<void>
}

/**
 * Creates a client for one MCP server, for programs outside Effect. Rejects with `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * Nothing is requested before the server answers 401. Then the client discovers the authorization server (RFC 9728, RFC 8414),
 * obtains a token for this server (RFC 8707) and sends the request again. A 403 that asks for scopes is answered in the same way,
 * at most twice for one request. A token is replaced about one minute before it expires. Simultaneous requests share one request
 * for a token. A request whose body is a stream is not sent again, so the caller receives the response of the server.
 *
 * Redirects of the MCP server are not followed, because a token is only for one server.
 *
 * On Node, requests for metadata and tokens connect only to addresses that the checks of the client accept, unless you set `fetch`.
 *
 * **Example** (A machine client with the official SDK)
 *
 * ```ts
 * import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
 * import { Grant, McpAuthClient } from "effect-mcp-auth/client"
 * import { Redacted } from "effect"
 *
 * const url = "https://todos.example.com/mcp"
 * const auth = await McpAuthClient.make({
 *   resource: url,
 *   grant: Grant.clientCredentials({
 *     issuer: "https://auth.example.com",
 *     clientId: "nightly-report",
 *     clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "from the environment")
 *   })
 * })
 * const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: auth.fetch })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = async (options: FetchOptions): Promise<Client> => {
  const checked = ConfigOption.attempt(() => check(options))
  if (Result.isFailure(checked)) throw checked.failure
  const fetch: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const { context, fetcher } = await Effect.runPromise(pinnedFetcher.forClient(options.fetch))
  const scope = Scope.makeUnsafe()
  const session = await Effect.runPromise(
    makeSession(options).pipe(
      Effect.provideService(Fetcher.Fetcher, fetcher),
      Effect.provideService(Scope.Scope, scope),
      Effect.provide(context)
    )
  )
  const run = Effect.runPromiseExitWith(context)
  return {
    fetch: (input, init) => send(session, fetch, run, input, init),
    dispose: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
