/**
 * Makes the gate of `AuthLayer.mock`: without keys, tokens and a network, and otherwise the real one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AllowedHosts from "../authorization/AllowedHosts.ts"
import * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import * as Gate from "../authorization/Gate.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as RequestState from "../authorization/RequestState.ts"
import type * as Principal from "../verification/Principal.ts"
import * as TokenVerifier from "../verification/TokenVerifier.ts"
import type { Common, Scopes } from "./AuthOptions.ts"

const mockResource = "http://localhost/mcp"
/** The issuer of the mock's caller. */
export const mockIssuer = "http://localhost/issuer"

/** Whatever a request names is the tenant of the caller. A server that hands over the tenant of a route can be tested. */
const anyTenant = (resource: ProtectedResource.ProtectedResource): Gate.PublishedTenants => ({
  isNamedBy: () => true,
  publishedBy: () => resource,
  publishedFor: () => Effect.undefined,
  publishedAt: () => undefined,
  metadataPattern: undefined,
  vary: undefined,
  fromRoute: true
})

/** The options of the real layer that a mock takes. */
export interface MockGateOptions extends Pick<Common<Scopes, any, any>, "allowedHosts" | "scopeHierarchy"> {
  readonly scopes: Scopes
  readonly claimsService?: Common<Scopes, any, any>["claims"]
  readonly resource?: string | undefined
}

/** Makes a gate that verifies no token: every caller is the principal that `makePrincipal` returns. */
export const mockGate = (
  options: MockGateOptions,
  makePrincipal: (resource: ProtectedResource.ProtectedResource) => Principal.Principal
): { readonly gate: Gate.Gate; readonly principal: Principal.Principal } => {
  const resource = Result.getOrThrow(
    ProtectedResource.make({ ...options, resource: options.resource ?? mockResource }, [mockIssuer])
  )
  const principal = makePrincipal(resource)
  const gate = Gate.make({
    resource,
    tenants: anyTenant(resource),
    // A mock has no keys either: its caller may have a token that is bound to one.
    presentation: { schemes: ["Bearer"], check: () => Effect.void },
    verifier: TokenVerifier.make(() => Effect.succeed(principal)),
    requestState: Effect.runSync(RequestState.make(undefined, resource.resource)),
    allowedOrigins: [],
    allowedHosts: Result.getOrThrow(AllowedHosts.check(options.allowedHosts)),
    challengeScopes: "auto",
    unlisted: "allow",
    anonymous: "deny",
    claims: ClaimsDecoder.reader(options.claimsService)
  })
  return { gate, principal }
}

/** Every request of a mock has a token. */
export const withToken = (request: Gate.Request): Gate.Request => ({
  fiber: request.fiber,
  method: request.method,
  header: (name) => request.header(name),
  host: request.host,
  authorization: ["Bearer mock"]
})
