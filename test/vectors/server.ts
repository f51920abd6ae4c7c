import { Result } from "effect"
import { AuthorizationServer } from "effect-mcp-auth/verification"

/** Returns the checked configuration of an authorization server, as `AuthLayer` creates it. */
export const serverOf = (issuer: string): AuthorizationServer.AuthorizationServer =>
  Result.getOrThrow(AuthorizationServer.make(issuer, "authorizationServers[0]"))
