/**
 * The options of `call` that concern the sign-in, and the grant that they describe.
 *
 * @since 0.1.0
 */
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { homedir } from "node:os"
import { join } from "node:path"
import type { Grant } from "../../client/Grant.ts"
import * as NodeBrowser from "../../client/node/NodeBrowser.ts"
import * as AuthorizationCode from "../../client/sign-in/AuthorizationCode.ts"
import * as DeviceAuthorization from "../../client/sign-in/DeviceAuthorization.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import { InvalidInput } from "../../provider/check/Check.ts"
import { shown } from "../../provider/report/Json.ts"
import * as FileStore from "../../store/records-node/FileStore.ts"

const ways = ["auto", "browser", "device", "paste"] as const

/**
 * The options of the sign-in.
 *
 * @category flags
 * @since 0.1.0
 */
export const flags = {
  tokenStore: Flag.String("token-store").pipe(
    Flag.withDescription(
      "The file of the tokens, which only you can read. Default: .effect-mcp-auth/tokens.json in your home folder"
    ),
    Flag.withMetavar("file"),
    Flag.optional
  ),
  signIn: Flag.Literals("sign-in", ways).pipe(
    Flag.withDescription(
      "How you sign in: with a browser on this machine, with a code on another device, or by pasting a URL. Default: auto, the " +
        "first of them that is possible"
    ),
    Flag.withDefault("auto" as const)
  ),
  issuer: Flag.String("issuer").pipe(
    Flag.withDescription("The authorization server to use. Default: the only one that the MCP server names"),
    Flag.withMetavar("url"),
    Flag.optional
  ),
  clientId: Flag.String("client-id").pipe(
    Flag.withDescription(
      "The id of a public client that you registered at the authorization server. Requires --issuer. Default: registers a client"
    ),
    Flag.withMetavar("id"),
    Flag.optional
  ),
  metadataUrl: Flag.String("client-metadata").pipe(
    Flag.withDescription("The URL of a client metadata document, which is the id of the client"),
    Flag.withMetavar("url"),
    Flag.optional
  ),
  port: Flag.Int("port").pipe(
    Flag.withDescription(
      "A port for the callback of the browser. Repeat it for several ports; the first free one is used. Default: 13316 and 13317"
    ),
    Flag.atLeast(0)
  )
}

/**
 * The values of the options.
 *
 * @category models
 * @since 0.1.0
 */
export interface Values {
  readonly tokenStore: Option.Option<string>
  readonly signIn: typeof ways[number]
  readonly issuer: Option.Option<string>
  readonly clientId: Option.Option<string>
  readonly metadataUrl: Option.Option<string>
  readonly port: ReadonlyArray<number>
}

/**
 * Creates the grant. Fails with `InvalidInput` if an option is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeGrant = Effect.fnUntraced(function*(
  { clientId, issuer, metadataUrl, port, signIn, tokenStore }: Values
): Effect.fn.Return<Grant, InvalidInput> {
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  if (Option.isSome(clientId) && Option.isNone(issuer)) {
    return yield* new InvalidInput({
      detail: "missing option: --issuer. --client-id is known to one authorization server"
    })
  }
  const client = { name: "effect-mcp-auth call", metadataUrl: Option.getOrUndefined(metadataUrl) }
  const allowIssuers = Option.isNone(issuer)
    ? undefined
    : [Option.isNone(clientId) ? issuer.value : { issuer: issuer.value, clientId: clientId.value }]
  const store = FileStore.make({
    file: Option.getOrElse(tokenStore, () => join(homedir(), ".effect-mcp-auth", "tokens.json"))
  })
  const [first = 13_316, ...others] = port.length > 0 ? port : [13_316, 13_317]
  return yield* Effect.try({
    try: () =>
      signIn === "device"
        ? DeviceAuthorization.grant({ client, allowIssuers, store, prompt: NodeBrowser.printCode })
        : AuthorizationCode.grant({
          client,
          allowIssuers,
          store,
          redirect: NodeBrowser.loopback({
            ports: [first, ...others],
            ...(signIn === "browser" ? {} : { otherwise: ["paste"] as const }),
            open: async (url) => {
              if (signIn === "paste") throw new Error("The person pastes the URL")
              await run(Console.error(describeSignIn(new URL(url))))
              await NodeBrowser.open(url)
            }
          }),
          ...(signIn === "auto" ? { otherwise: DeviceAuthorization.make({ prompt: NodeBrowser.printCode }) } : {})
        }),
    catch: toInvalidInput
  })
})

const describeSignIn = ({ host, searchParams }: URL): string => {
  const scope = searchParams.get("scope")
  return `Opening the browser to sign in at ${host}${scope === null ? "" : ` for the scopes ${shown(scope, 400)}`}`
}

/** The options of the library, and the flags that set them. */
const flagOf: Readonly<Record<string, string>> = {
  "grant.client.metadataUrl": "--client-metadata",
  "grant.allowIssuers": "--issuer",
  "grant.store": "--token-store",
  "NodeBrowser.loopback.ports": "--port",
  file: "--token-store",
  resource: "the URL of the MCP server"
}

/**
 * Names the flag of an option of the library.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toInvalidInput = (error: unknown): InvalidInput => {
  if (!(error instanceof AuthConfigError)) return new InvalidInput({ detail: String(error) })
  const option = Object.keys(flagOf).find((name) => error.option === name || error.option.startsWith(`${name}[`))
  return new InvalidInput({ detail: `${option === undefined ? error.option : flagOf[option]}: ${error.fix}` })
}
