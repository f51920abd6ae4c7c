/**
 * Signs one person in on another device, for programs on machines without a browser (RFC 8628).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { DiscoveryError } from "../ClientError.ts"
import type { Grant } from "../Grant.ts"
import * as deviceFlow from "./DeviceFlow.ts"
import * as localSignIn from "./LocalSignIn.ts"
import { mark, type OtherSignIn } from "./OtherSignIn.ts"

/**
 * The page and the code with which a person signs in on any device.
 *
 * @category models
 * @since 0.1.0
 */
export type { DevicePrompt } from "./DeviceFlow.ts"

/**
 * Another way to sign in, for `AuthorizationCode.grant`. `make` creates values.
 *
 * @category models
 * @since 0.1.0
 */
export type { OtherSignIn } from "./OtherSignIn.ts"

/**
 * The options of the device authorization grant.
 *
 * @category models
 * @since 0.1.0
 */
export interface PromptOptions {
  /**
   * Shows the page and the code to the person, such as `NodeBrowser.printCode`. The client waits for the sign-in after the function has
   * ended.
   */
  readonly prompt: (prompt: deviceFlow.DevicePrompt) => Effect.Effect<void> | Promise<void> | void
}

/**
 * The options of the grant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends localSignIn.LocalOptions, PromptOptions {}

const promptTable: ConfigOption.Table<keyof PromptOptions> = {
  prompt: ConfigOption.functionThat("shows a page and a code, such as NodeBrowser.printCode")
}

const table: ConfigOption.Table<keyof Options> = { ...localSignIn.table, ...promptTable }

/**
 * Creates another way to sign in for `AuthorizationCode.grant`, if no browser opens. Throws `AuthConfigError` if an option is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: PromptOptions): OtherSignIn => {
  ConfigOption.check(options, "DeviceAuthorization.make", promptTable, "Give one with prompt")
  const { prompt } = options
  if (prompt === undefined) {
    throw ConfigOption.error(
      "DeviceAuthorization.make.prompt",
      "the function is missing. Write one such as NodeBrowser.printCode",
      "missing"
    )
  }
  return { [mark]: (parts, connection, acquisition) => deviceFlow.signIn(parts, prompt, connection, acquisition) }
}

/**
 * Lets the person who uses a program sign in on another device (RFC 8628). Throws `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * A request that needs a token calls `prompt` with a page and a code, and waits until the person has signed in, at most ten minutes. The
 * client asks for the token as often as the authorization server allows. Simultaneous requests share one sign-in. Later requests, also
 * of later runs of the program, use the stored token and refresh it. Fails with `DiscoveryError` if the authorization server has no
 * device authorization endpoint, or does not allow the client to use it.
 *
 * **Gotchas**
 *
 * An authorization server that only the MCP server names can send the person to a page on its own host only. Name the issuer in
 * `allowIssuers` if its page is on another host.
 *
 * **Example** (A program on a machine without a browser)
 *
 * ```ts
 * import { NodeBrowser } from "effect-mcp-auth/client-node"
 * import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
 * import { DeviceAuthorization } from "effect-mcp-auth/sign-in"
 * import { FileStore } from "effect-mcp-auth/store-node"
 *
 * const SignedIn = AuthorizedHttpClient.layer({
 *   resource: "https://todos.example.com/mcp",
 *   grant: DeviceAuthorization.grant({
 *     client: { name: "tool" },
 *     prompt: NodeBrowser.printCode,
 *     store: FileStore.make({ file: "/var/lib/tool/tokens.json" })
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const grant = (options: Options): Grant => {
  localSignIn.check(options, table, ["prompt", "store"])
  const { prompt } = options
  return localSignIn.makeGrant(options, {
    redirectUris: [],
    usesDevice: true,
    letSignIn: Effect.fnUntraced(function*(parts, connection, acquisition) {
      const completed = yield* deviceFlow.signIn(parts, prompt, connection, acquisition)
      if (completed !== undefined) return
      return yield* new DiscoveryError({
        detail:
          `${acquisition.found.issuer} has no device_authorization_endpoint, or does not allow this client to use it. ` +
          "Use AuthorizationCode.grant instead",
        trail: []
      })
    })
  })
}
