/**
 * Signs one person in with a browser on the same machine, for command-line tools and desktop applications.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { AuthorizationDenied, type ClientError, type Unavailable } from "../ClientError.ts"
import type { Grant } from "../Grant.ts"
import type { Acquisition } from "../TokenSource.ts"
import * as localSignIn from "./LocalSignIn.ts"
import * as otherSignIn from "./OtherSignIn.ts"
import type { Completed } from "./SignIn.ts"
import type { Connection } from "./StoredToken.ts"

/**
 * The options of every grant for the person who uses a program.
 *
 * @category models
 * @since 0.1.0
 */
export type { LocalOptions } from "./LocalSignIn.ts"

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
  /**
   * Opens a URL for the person, and returns the URL of each callback to the function until one of them ends the sign-in. If the URL
   * cannot be opened, runs `instead`, which returns `undefined` if that way is not available either.
   */
  readonly open: <A, E, E2 = never>(
    url: string,
    complete: (callback: string) => Effect.Effect<A, E>,
    instead?: Effect.Effect<A | undefined, E2>
  ) => Effect.Effect<A, E | E2 | Unavailable>
}

/**
 * The options of the grant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends localSignIn.LocalOptions {
  /** Opens the browser: a value of `NodeBrowser`. */
  readonly redirect: Redirect
  /**
   * The way to sign in if the browser does not open and the authorization server offers this way: a value of
   * `DeviceAuthorization.make`. Default: none.
   */
  readonly otherwise?: otherSignIn.OtherSignIn | undefined
}

const table: ConfigOption.Table<keyof Options> = {
  ...localSignIn.table,
  redirect: ConfigOption.rule(
    (value) => typeof value === "object" && value !== null && "redirectUris" in value && "listen" in value,
    "a redirect",
    "Write one such as NodeBrowser.loopback({ ports: [13316] })"
  ),
  otherwise: otherSignIn.rule
}

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
  localSignIn.check(options, table, ["redirect", "store"])
  const { otherwise, redirect } = options
  return localSignIn.makeGrant(options, {
    redirectUris: redirect.redirectUris,
    usesDevice: otherwise !== undefined,
    letSignIn: (parts, connection, acquisition) =>
      signInWith(
        redirect,
        parts,
        connection,
        acquisition,
        otherwise?.[otherSignIn.mark](parts, connection, acquisition)
      )
  })
}

const signInWith = (
  redirect: Redirect,
  { signIn }: localSignIn.Parts,
  connection: Connection,
  acquisition: Acquisition,
  instead: Effect.Effect<Completed | undefined, ClientError> | undefined
): Effect.Effect<void, ClientError> =>
  Effect.scoped(Effect.gen(function*() {
    const { open, redirectUri } = yield* redirect.listen
    const url = yield* signIn.begin(connection, acquisition, redirectUri)
    yield* open(url, (callback) => signIn.complete(callback, localSignIn.account), instead).pipe(
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
  }))
