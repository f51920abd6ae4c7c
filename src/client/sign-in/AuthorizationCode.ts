/**
 * Signs one person in with a browser on the same machine, for command-line tools and desktop applications.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { RecordStoreUnavailable, Store } from "../../store/records/RecordStore.ts"
import { AuthorizationDenied, type ClientError, Unavailable } from "../ClientError.ts"
import * as clientProof from "../ClientProof.ts"
import type { Grant } from "../Grant.ts"
import * as grants from "../Grant.ts"
import { mark } from "../GrantContent.ts"
import type { Acquisition, MakeSource } from "../TokenSource.ts"
import * as registration from "./Registration.ts"
import * as signIns from "./SignIn.ts"
import * as signInOptions from "./SignInOptions.ts"

/**
 * Opens a page of an authorization server for a person, and receives the callback. `NodeBrowser` of `effect-mcp-auth/client-node`
 * creates values for Node.
 *
 * @category models
 * @since 0.1.0
 */
export interface Redirect {
  /** All redirect URIs that `listen` can use. The client registers them. */
  readonly redirectUris: readonly [string, ...ReadonlyArray<string>]
  /** Prepares a sign-in. The scope ends it. */
  readonly listen: Effect.Effect<Listener, Unavailable, Scope.Scope>
}

/**
 * Waits for the callback of one sign-in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listener {
  /** The redirect URI of this sign-in. */
  readonly redirectUri: string
  /** Opens a URL for the person, and returns the URL of each callback to the function until one of them ends the sign-in. */
  readonly open: <A, E>(
    url: string,
    complete: (callback: string) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | Unavailable>
}

/**
 * The options of the grant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<signInOptions.SignInOptions, "allowIssuers"> {
  /**
   * The authorization servers to which the client sends the person. Default: the only one that the MCP server names, on a public
   * address.
   */
  readonly allowIssuers?: signInOptions.SignInOptions["allowIssuers"] | undefined
  /** Opens the browser: a value of `NodeBrowser`. */
  readonly redirect: Redirect
  /** Opens the store of the tokens, such as `FileStore.make({ file })`. */
  readonly store: Effect.Effect<Store, AuthConfigError | RecordStoreUnavailable>
}

const table: ConfigOption.Table<keyof Options> = {
  ...signInOptions.table,
  redirect: ConfigOption.rule(
    (value) => typeof value === "object" && value !== null && "redirectUris" in value && "listen" in value,
    "a redirect",
    "Write one such as NodeBrowser.loopback({ ports: [13316] })"
  ),
  store: ConfigOption.rule(
    (value) => Effect.isEffect(value),
    "an effect that opens a store",
    "Write one such as FileStore.make({ file })"
  )
}

/** The account of the person. There is one on this machine. */
const account = "local"

/**
 * Lets the person who uses a program sign in with a browser (RFC 8252). Throws `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * A request that needs a token opens the browser, and waits until the person has signed in, at most ten minutes. Simultaneous requests
 * share one sign-in. Later requests, also of later runs of the program, use the stored token and refresh it.
 *
 * **Gotchas**
 *
 * Requests open a browser, so do not use this grant for work in the background.
 *
 * **Example** (A command-line tool)
 *
 * ```ts
 * import { NodeBrowser } from "effect-mcp-auth/client-node"
 * import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
 * import { AuthorizationCode } from "effect-mcp-auth/sign-in"
 * import { FileStore } from "effect-mcp-auth/store-node"
 * import { homedir } from "node:os"
 * import { join } from "node:path"
 *
 * const SignedIn = AuthorizedHttpClient.layer({
 *   resource: "https://todos.example.com/mcp",
 *   grant: AuthorizationCode.grant({
 *     client: { name: "tool", metadataUrl: "https://tool.example.com/client.json" },
 *     redirect: NodeBrowser.loopback({ ports: [13316, 13317] }),
 *     store: FileStore.make({ file: join(homedir(), ".tool", "tokens.json") })
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const grant = (options: Options): Grant => {
  ConfigOption.check(options, "grant", table, "Give one with client, redirect and store")
  const { client, redirect } = options
  const allowIssuers = options.allowIssuers ?? grants.anyIssuer
  // Options that are missing do not reach their rules.
  ConfigOption.check({ client, redirect, store: options.store, allowIssuers }, "grant", table)
  for (const name of ["redirect", "store"] as const) {
    if (options[name] === undefined) {
      throw ConfigOption.error(`grant.${name}`, "the option is missing. Set it", "missing")
    }
  }
  signInOptions.checkPresent({ client, allowIssuers }, "grant.")
  const issuers = signInOptions.readIssuers(allowIssuers)
  const { redirectUris } = redirect

  const makeSource: MakeSource = Effect.fnUntraced(function*({ fetcher, resource }) {
    for (const [path, credentials] of issuers.credentials) yield* clientProof.check(credentials, `grant.${path}`)
    const opened = yield* Effect.cached(options.store)
    // A file that cannot be opened is an error of the setup.
    const store = yield* Effect.catchTag(
      opened,
      "RecordStoreUnavailable",
      (error) => Effect.fail(ConfigOption.error("grant.store", `${error.message}. Correct the place of the store`))
    )
    const registrations = yield* registration.make({ store, fetcher, client, issuers, redirectUris })
    const signIn = signIns.make({ store, fetcher, issuers, registrations })
    const connection = { account, resource: resource.href }
    return yield* signIn.makeSource(connection, (acquisition) => signInWith(redirect, signIn, connection, acquisition))
  })
  return { [mark]: { issuers: issuers.allowed, makeSource } }
}

const signInWith = (
  redirect: Redirect,
  { begin, complete }: signIns.SignIn,
  connection: { readonly account: string; readonly resource: string },
  acquisition: Acquisition
): Effect.Effect<void, ClientError> =>
  Effect.scoped(Effect.gen(function*() {
    const { open, redirectUri } = yield* redirect.listen
    const url = yield* begin(connection, acquisition, redirectUri)
    yield* open(url, (callback) => complete(callback, account)).pipe(
      Effect.catchTag("CallbackRejected", ({ message }) =>
        Effect.fail(
          new AuthorizationDenied({
            reason: "sign-in",
            issuer: acquisition.found.issuer,
            code: "invalid_response",
            description: message
          })
        ))
    )
  })).pipe(
    Effect.timeoutOrElse({
      duration: signIns.flowLifetime,
      orElse: () =>
        Effect.fail(new Unavailable({ detail: "The person did not end the sign-in within ten minutes", retryAfter: 1 }))
    })
  )
