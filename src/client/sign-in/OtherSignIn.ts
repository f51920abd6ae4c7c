import type * as Effect from "effect/Effect"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { ClientError } from "../ClientError.ts"
import type { Acquisition } from "../TokenSource.ts"
import type { Parts } from "./LocalSignIn.ts"
import type { Completed } from "./SignIn.ts"
import type { Connection } from "./StoredToken.ts"

/* Describes another way to sign in, so that programs without it do not load it. */

/** The name of the member that holds the content of a value. */
export const mark = "~effect-mcp-auth/OtherSignIn"

/**
 * Another way to sign in, for `AuthorizationCode.grant`. `DeviceAuthorization.make` creates values.
 *
 * @category models
 * @since 0.1.0
 */
export interface OtherSignIn {
  /** Lets the person sign in. Returns `undefined` if the authorization server does not offer this way. */
  readonly [mark]: (
    parts: Parts,
    connection: Connection,
    acquisition: Acquisition
  ) => Effect.Effect<Completed | undefined, ClientError>
}

/** Accepts other ways to sign in. */
export const rule: ConfigOption.Rule = ConfigOption.marked(
  mark,
  "another way to sign in",
  "Write DeviceAuthorization.make({ prompt })"
)
