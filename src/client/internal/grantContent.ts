import type * as Effect from "effect/Effect"
import type * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"

/** The name of the member of a grant that holds its content. */
export const mark = "~effect-mcp-auth/Grant"

/** The content of a grant. */
export interface Content {
  /** The issuers that receive the credentials, or `"any"` for each issuer that the MCP server names. */
  readonly issuers: readonly [string, ...ReadonlyArray<string>] | "any"
  /** The parameters of a token request. */
  readonly parameters: ReadonlyArray<readonly [name: string, value: string]>
  /** Checks the credentials. Returns the effect that proves them to an issuer in one request. */
  readonly authentication: (issuer: string) => Effect.Effect<Effect.Effect<ClientAuthentication.Proof>, AuthConfigError>
}

/** Accepts grants. */
export const rule: ConfigOption.Rule = ConfigOption.marked(
  mark,
  "a grant",
  "Write one such as Grant.clientCredentials({ issuer, clientId, clientSecret })"
)
