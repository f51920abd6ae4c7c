/**
 * An MCP server and an authorization server that misbehave on demand, for tests of clients.
 *
 * **Details**
 *
 * Without a fault, both servers follow the standards: a client discovers, registers, signs in, calls the tools `list_todos` and
 * `add_todo`, steps up and refreshes. A fault changes one thing. The servers of an attacker and a private network record what they
 * receive, so that a test can check where tokens, codes and secrets went.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { clientFaults } from "./internal/clientFaults.ts"
import type { Client } from "./internal/endpoints.ts"
import type { FaultDescription, Party, ServerRequest } from "./internal/faultModel.ts"
import * as faultyServers from "./internal/faultyServers.ts"
import * as listen from "./internal/listen.ts"
import { type Promised, toPromises } from "./internal/promises.ts"
import type { ConnectionRefused } from "./internal/respond.ts"

export type { Party, ServerRequest } from "./internal/faultModel.ts"

/**
 * The name of a fault. `faults` describes them.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = keyof typeof clientFaults

/**
 * A fault in words: what a server does, and what a client must do. `number` groups faults of one kind.
 *
 * @category models
 * @since 0.1.0
 */
export interface Description {
  readonly number: number
  readonly server: string
  readonly client: string
}

/**
 * The faults, by name.
 *
 * **Example** (All faults)
 *
 * ```ts
 * import { MisbehavingServers } from "effect-mcp-auth/testing"
 *
 * for (const [fault, { client, server }] of Object.entries(MisbehavingServers.faults)) {
 *   console.log(`${fault}: ${server} A client: ${client}`)
 * }
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const faults: Readonly<Record<Fault, Description>> = clientFaults

/**
 * The names of the faults, in the order of a sign-in.
 *
 * @category constants
 * @since 0.1.0
 */
export const faultNames: ReadonlyArray<Fault> = Object.keys(clientFaults) as Array<Fault>

/**
 * The options of the servers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The first fault. Default: none. */
  readonly fault?: Fault | undefined
  /** The URL of the MCP server. Its path must not be empty. Default: `https://todos.test/mcp`. */
  readonly resource?: string | undefined
  /** The issuer of the authorization server: an origin. Default: `https://issuer.test`. */
  readonly issuer?: string | undefined
  /** The origin of the attacker. Default: `https://elsewhere.test`. */
  readonly elsewhere?: string | undefined
  /** An origin in a private network. Default: `https://10.0.0.1`. */
  readonly privateNetwork?: string | undefined
  /** The clients that are registered already, by id. Default: `machine` with the secret `machine-secret`. */
  readonly clients?: Readonly<Record<string, Client>> | undefined
}

/**
 * The servers.
 *
 * @category models
 * @since 0.1.0
 */
export interface MisbehavingServers {
  /** The URL of the MCP server. */
  readonly resource: string
  readonly issuer: string
  readonly elsewhere: string
  readonly privateNetwork: string
  /** Sets the fault, for example after a sign-in. `undefined` ends the current one. */
  readonly setFault: (fault: Fault | undefined) => Effect.Effect<void>
  /** Makes the MCP server reject all access tokens that were issued so far. Refresh tokens stay valid. */
  readonly expireTokens: Effect.Effect<void>
  /** Returns the requests that the servers received, oldest first. `takeRequests` also clears the list. */
  readonly requests: Effect.Effect<ReadonlyArray<ServerRequest>>
  readonly takeRequests: Effect.Effect<ReadonlyArray<ServerRequest>>
  /** Returns the number of bytes of endless documents that were read. */
  readonly sentBytes: Effect.Effect<number>
  /** Responds to a request for one of the four origins. Fails if the connection would fail. */
  readonly respond: (request: Request) => Effect.Effect<Response, ConnectionRefused>
  /** Creates a `fetch` that reaches the servers. It uses the clock of the fiber that creates it. */
  readonly fetch: Effect.Effect<typeof globalThis.fetch>
}

const checkOrigin = ConfigOption.rule(
  (value) => typeof value === "string" && URL.canParse(value) && new URL(value).origin === value,
  "an origin",
  "Write one such as \"https://issuer.test\""
)

const table: ConfigOption.Table<keyof Options> = {
  fault: ConfigOption.rule(
    (value) => typeof value === "string" && Object.hasOwn(clientFaults, value),
    "the name of a fault",
    "Write one of MisbehavingServers.faultNames"
  ),
  resource: ConfigOption.rule(
    (value) => typeof value === "string" && URL.canParse(value) && new URL(value).pathname.length > 2,
    "a URL with a path",
    "Write one such as \"https://todos.test/mcp\""
  ),
  issuer: checkOrigin,
  elsewhere: checkOrigin,
  privateNetwork: checkOrigin,
  clients: true
}

/**
 * Creates the servers in memory.
 *
 * **Example** (A client must not send its code to another origin)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MisbehavingServers } from "effect-mcp-auth/testing"
 *
 * declare const signIn: (fetch: typeof globalThis.fetch, resource: string) => Promise<void>
 *
 * const program = Effect.gen(function*() {
 *   const servers = yield* MisbehavingServers.make({ fault: "redirects-token-requests" })
 *   const fetch = yield* servers.fetch
 *   yield* Effect.ignore(Effect.tryPromise(() => signIn(fetch, servers.resource)))
 *   return (yield* servers.requests).filter(({ party }) => party === "elsewhere")
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<MisbehavingServers> =>
  Effect.gen(function*() {
    ConfigOption.check(options, "MisbehavingServers.make", table)
    const descriptions: Readonly<Record<Fault, FaultDescription>> = clientFaults
    const find = (fault: Fault | undefined) => fault === undefined ? undefined : descriptions[fault]
    const { setFault, ...servers } = yield* faultyServers.make({
      resource: options.resource ?? "https://todos.test/mcp",
      issuer: options.issuer ?? "https://issuer.test",
      elsewhere: options.elsewhere ?? "https://elsewhere.test",
      privateNetwork: options.privateNetwork ?? "https://10.0.0.1",
      clients: options.clients ?? { machine: { secret: "machine-secret" } }
    })
    yield* setFault(find(options.fault))
    return {
      ...servers,
      setFault: (fault) => setFault(find(fault)),
      fetch: listen.makeFetch(servers.respond)
    }
  })

/**
 * The servers, for tests without Effect. Every method returns a promise.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromisedMisbehavingServers extends Promised<Omit<MisbehavingServers, "fetch">> {
  /** A `fetch` that reaches the servers. */
  readonly fetch: typeof globalThis.fetch
  /** Handle requests of `node:http`: `createServer(listeners.issuer)` serves the authorization server on a real port. */
  readonly listeners: Readonly<
    Record<Party, (request: listen.NodeRequest, response: listen.NodeResponse) => void>
  >
}

/**
 * Creates the servers, for tests without Effect.
 *
 * **Details**
 *
 * To serve them on real ports, listen first, pass the URLs of the ports as options, and then add the `listeners`.
 *
 * **Example** (A test of a client)
 *
 * ```ts
 * import { MisbehavingServers } from "effect-mcp-auth/testing"
 *
 * const servers = await MisbehavingServers.start({ fault: "rejects-fresh-tokens" })
 * const tokenRequests = async () =>
 *   (await servers.requests()).filter(({ url }) => new URL(url).pathname === "/token").length
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: Options = {}): Promise<PromisedMisbehavingServers> =>
  Effect.runPromise(Effect.gen(function*() {
    const { fetch, ...servers } = yield* make(options)
    const listenerFor = (url: string) =>
      listen.makeNodeListener(url, (request) => Effect.runPromise(servers.respond(request)))
    return {
      ...toPromises(servers),
      fetch: yield* fetch,
      listeners: {
        server: listenerFor(servers.resource),
        issuer: listenerFor(servers.issuer),
        elsewhere: listenerFor(servers.elsewhere),
        privateNetwork: listenerFor(servers.privateNetwork)
      }
    }
  }))
