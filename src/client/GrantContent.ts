import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Fetcher } from "../outbound/Fetcher.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import type { ClientError } from "./ClientError.ts"
import type { Credentials } from "./ClientProof.ts"
import type * as serverDiscovery from "./ServerDiscovery.ts"
import type { MakeSource } from "./TokenSource.ts"

/** The name of the member of a grant that holds its content. */
export const mark = "~effect-mcp-auth/Grant"

/** A request for a token, before it is sent. */
export interface TokenRequest {
  readonly issuer: string
  readonly tokenEndpoint: string
  /** The resource identifier of the MCP server, as its metadata write it. */
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
}

/** Returns the parameters of a token request, apart from `scope`, `resource` and the proof of the client. */
export type ParametersFor = (
  request: TokenRequest
) => Effect.Effect<ReadonlyArray<readonly [name: string, value: string]>, ClientError>

/** The content of a grant. */
export type Content = CredentialsContent | SourceContent

/** The content of a grant that needs no person. */
export interface CredentialsContent {
  /** The issuers that receive the credentials, or `"any"` for each issuer that the MCP server names. */
  readonly issuers: serverDiscovery.AllowedIssuers
  /** The credentials of the client at the authorization server; `undefined` if the grant itself identifies the client. */
  readonly credentials: Credentials | undefined
  /** Checks the options that need an effect, and prepares the requests of one session. The scope ends its background work. */
  readonly connect: (fetcher: Fetcher["Service"]) => Effect.Effect<ParametersFor, AuthConfigError, Scope.Scope>
}

/** The content of a grant with another way to obtain tokens. */
export interface SourceContent {
  /** The issuers to which the client sends people, or `"any"` for each issuer that the MCP server names. */
  readonly issuers: serverDiscovery.AllowedIssuers
  readonly makeSource: MakeSource
  /** Creates the discovery of the authorization server. Default: `ServerDiscovery.make`. */
  readonly makeDiscover?: typeof serverDiscovery.make | undefined
}

/** The path of the options of a grant in errors. */
export const option = "grant"

/** Accepts grants. */
export const rule: ConfigOption.Rule = ConfigOption.marked(
  mark,
  "a grant",
  "Write one such as Grant.clientCredentials({ issuer, clientId, clientSecret })"
)
