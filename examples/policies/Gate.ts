/** The options of the gate, which both servers share. */
import { ApiKeys } from "effect-mcp-auth/api-keys"
import * as Policies from "./Policies.ts"

export interface Options {
  /** The URL that clients use. */
  readonly resource: string
  readonly authorizationServers: readonly [string, ...ReadonlyArray<string>]
  /** The records of the API keys. */
  readonly keys: ApiKeys.Store
}

export const gateOptions = ({ authorizationServers, keys, resource }: Options) => ({
  resource,
  authorizationServers,
  scopes: Policies.scopes,
  roles: Policies.roles,
  // Callers without credentials can use the tools with `Policy.anyone`, and list the tools.
  anonymous: "allow-unscoped",
  apiKeys: ApiKeys.make({ store: keys, header: "x-api-key" })
} as const)
