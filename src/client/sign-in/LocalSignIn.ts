import * as Effect from "effect/Effect"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { RecordStoreUnavailable, Store } from "../../store/records/RecordStore.ts"
import { type ClientError, Unavailable } from "../ClientError.ts"
import * as clientProof from "../ClientProof.ts"
import * as grants from "../Grant.ts"
import { mark } from "../GrantContent.ts"
import type { Acquisition, MakeSource } from "../TokenSource.ts"
import * as registration from "./Registration.ts"
import * as signIns from "./SignIn.ts"
import * as signInOptions from "./SignInOptions.ts"
import type { Connection } from "./StoredToken.ts"

/* Creates the grants of the one person who uses a program. */

/**
 * The options of every grant for the person who uses a program.
 *
 * @category models
 * @since 0.1.0
 */
export interface LocalOptions extends Omit<signInOptions.SignInOptions, "allowIssuers"> {
  /**
   * The authorization servers to which the client sends the person. Default: the only one that the MCP server names, on a public
   * address.
   */
  readonly allowIssuers?: signInOptions.SignInOptions["allowIssuers"] | undefined
  /** Opens the store of the tokens, such as `FileStore.make({ file })`. */
  readonly store: Effect.Effect<Store, AuthConfigError | RecordStoreUnavailable>
}

/** The rules of these options. */
export const table: ConfigOption.Table<keyof LocalOptions> = {
  ...signInOptions.table,
  store: ConfigOption.rule(
    (value) => Effect.isEffect(value),
    "an effect that opens a store",
    "Write one such as FileStore.make({ file })"
  )
}

/** The path of the options in errors. */
const path = "grant"

/** Checks the options of a grant. `required` are the names of options that must be there. Throws `AuthConfigError`. */
export const check = <Name extends string>(
  options: LocalOptions & Readonly<Record<Name, unknown>>,
  allOptions: ConfigOption.Table<string>,
  required: ReadonlyArray<Name | "store">
): void => {
  ConfigOption.check(options, path, allOptions, `Give one with client, ${required.join(" and ")}`)
  for (const name of required) {
    if (options[name] === undefined) {
      throw ConfigOption.error(`${path}.${name}`, "the option is missing. Set it", "missing")
    }
  }
  const { allowIssuers = grants.anyIssuer, client } = options
  signInOptions.checkPresent({ client, allowIssuers }, `${path}.`)
}

/** The account of the person. There is one on this machine. */
export const account = "local"

/** The parts with which the person signs in. */
export interface Parts extends signIns.Options {
  readonly signIn: signIns.SignIn
}

/** Lets the person sign in, and stores the token. */
export type LetSignIn = (
  parts: Parts,
  connection: Connection,
  acquisition: Acquisition
) => Effect.Effect<void, ClientError>

/** Creates a grant of options that were checked. */
export const makeGrant = (
  { allowIssuers = grants.anyIssuer, client, legacy, store: openStore }: LocalOptions,
  { letSignIn, redirectUris, usesDevice }: {
    readonly redirectUris: ReadonlyArray<string>
    /** Whether the client registers for the device authorization grant as well. */
    readonly usesDevice: boolean
    readonly letSignIn: LetSignIn
  }
): grants.Grant => {
  const issuers = signInOptions.readIssuers({ allowIssuers, client })
  const makeSource: MakeSource = Effect.fnUntraced(function*({ fetcher, keys, resource }) {
    for (const [entry, credentials] of issuers.credentials) yield* clientProof.check(credentials, `${path}.${entry}`)
    // A file that cannot be opened is an error of the setup.
    const store = yield* Effect.catchTag(
      openStore,
      "RecordStoreUnavailable",
      (error) => Effect.fail(ConfigOption.error(`${path}.store`, `${error.message}. Correct the place of the store`))
    )
    const registrations = yield* registration.make({ store, fetcher, client, issuers, redirectUris, usesDevice })
    const options: signIns.Options = { store, fetcher, issuers, registrations, keys }
    const signIn = signIns.make(options)
    const connection = { account, resource: resource.href }
    return yield* signIn.makeSource(
      connection,
      (acquisition) =>
        letSignIn({ ...options, signIn }, connection, acquisition).pipe(
          Effect.timeoutOrElse({
            duration: signIns.flowLifetime,
            orElse: () =>
              Effect.fail(
                new Unavailable({ detail: "The person did not end the sign-in within ten minutes", retryAfter: 1 })
              )
          })
        )
    )
  })
  return { [mark]: { issuers: issuers.allowed, makeSource, makeDiscover: signInOptions.discoveryFor({ legacy }) } }
}
