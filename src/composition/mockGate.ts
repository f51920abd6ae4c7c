/**
 * Creates gates for tests. They verify no token, so they need no keys and no network. All other checks are those of the real
 * gate.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as AllowedHosts from "../authorization/AllowedHosts.ts"
import * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import * as Gate from "../authorization/Gate.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as RequestState from "../authorization/RequestState.ts"
import type { ScopeHierarchy } from "../authorization/ScopeHierarchy.ts"
import type { AuthError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { checkRoleNames } from "../verification/claims/Roles.ts"
import * as Principal from "../verification/Principal.ts"
import * as TokenVerifier from "../verification/TokenVerifier.ts"
import type { LiteralScopes, Scopes } from "./AuthOptions.ts"
import * as GateLayer from "./GateLayer.ts"

const mockResource = "http://localhost/mcp"
const mockIssuer = "http://localhost/issuer"

/** Accepts every tenant, so that tests can run a server whose routes name a tenant. */
const anyTenant = (resource: ProtectedResource.ProtectedResource): Gate.PublishedTenants => ({
  isNamedBy: () => true,
  publishedBy: () => resource,
  publishedFor: () => Effect.undefined,
  publishedAt: () => undefined,
  metadataPattern: undefined,
  vary: undefined,
  fromRoute: true
})

/**
 * The options of a mock: the caller of every request, and the options of the real gate that a test may depend on.
 *
 * @category models
 * @since 0.1.0
 */
export interface MockOptions<S extends Scopes, Claims = ClaimsDecoder.Claims<any, any>> {
  /** The subject of the caller. Default: `alice`. */
  readonly subject?: string | undefined
  /** The scopes that the server offers, as in the options of the real gate. */
  readonly scopes: S & LiteralScopes<S>
  /** The scopes of the caller. Default: all scopes that the server offers. */
  readonly granted?: ReadonlyArray<ProtectedResource.OfferedOf<S>> | undefined
  /** Maps a scope to the scopes that it includes. Default: no scope includes another one. */
  readonly scopeHierarchy?: ScopeHierarchy | undefined
  /** The issuer of the caller. Default: `http://localhost/issuer`. */
  readonly issuer?: string | undefined
  /** The client id of the caller. Default: none. */
  readonly clientId?: string | undefined
  /** The tenant of the caller. Default: none. */
  readonly tenant?: string | undefined
  /**
   * The roles of the caller, for `Policy.role` and `Principal.roles`. They do not come from `claims`, because a mock reads no token.
   * Default: none.
   */
  readonly roles?: ReadonlyArray<string> | undefined
  /** The claims of the caller. Default for `iss` and `sub`: the options `issuer` and `subject`. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** The option `claims` of the real gate. It decodes the claims of the caller. */
  readonly claimsService?: Claims | undefined
  /** The resource identifier. Default: `http://localhost/mcp`. */
  readonly resource?: string | undefined
  /**
   * The option `allowedHosts` of the real gate. As with the real gate, if the resource is on loopback, a request is rejected if
   * its `Host` is neither a loopback name nor in this list.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

const isText = ConfigOption.rule(Predicate.isString, "text", "Leave it out for none")

const table = {
  subject: ConfigOption.withDefault<string>("alice", Predicate.isString, "text", "alice"),
  scopes: true,
  granted: ConfigOption.rule(
    (_) => Array.isArray(_) && _.every(Predicate.isString),
    "a list of scopes",
    "Leave it out for all scopes that the server offers"
  ),
  scopeHierarchy: true,
  issuer: ConfigOption.withDefault<string>(mockIssuer, Predicate.isString, "text", mockIssuer),
  clientId: isText,
  tenant: isText,
  roles: checkRoleNames,
  claims: ConfigOption.rule(OptionValue.isObject, "an object", "Write one such as { team: \"billing\" }"),
  claimsService: true,
  resource: true,
  allowedHosts: AllowedHosts.check
} satisfies ConfigOption.Table<keyof MockOptions<Scopes>>

const adviceOnOptions = "Give one with scopes, such as { scopes: [\"todos:read\"] }"

/**
 * Checks the names of the options of a mock and of `added`, the options that an adapter has in addition. Throws
 * `AuthConfigError`.
 */
export const checkNames = (options: unknown, owner: string, ...added: ReadonlyArray<string>): void =>
  ConfigOption.checkNames(options, owner, [...Object.keys(table), ...added], adviceOnOptions)

/** A gate that verifies no token. Every caller is the same principal. */
export interface MockGate {
  readonly gate: Gate.Gate
  readonly principal: Principal.Principal
}

/**
 * Creates a gate for tests. Throws `AuthConfigError` if an option is wrong. `owner` is the name of the calling function, for
 * error messages. `added` contains the rules of the options that an adapter has in addition.
 */
export const make = (
  options: MockOptions<Scopes>,
  owner: string,
  added?: Readonly<Record<string, ConfigOption.Rule>>
): MockGate => {
  ConfigOption.check(options, owner, { ...table, ...added }, adviceOnOptions)
  const resource = Result.getOrThrow(
    ProtectedResource.make({
      resource: options.resource ?? mockResource,
      scopes: options.scopes as Scopes,
      scopeHierarchy: options.scopeHierarchy
    }, [mockIssuer])
  )
  const granted = new Set<string>(options.granted ?? resource.offered)
  const { clientId, issuer = table.issuer.default, roles, subject = table.subject.default, tenant } = options
  const principal = Principal.make({
    issuer,
    subject,
    clientId,
    ...(tenant === undefined ? {} : { tenant }),
    scopes: resource.effectiveScopes(granted),
    granted,
    roles: new Set(roles),
    audience: [resource.resource],
    expiresAt: 8.64e12,
    claims: { iss: issuer, sub: subject, ...options.claims },
    token: Redacted.make("a mock has no token", { label: "token" })
  })
  const gate = Gate.make({
    resource,
    tenants: anyTenant(resource),
    // The claims of a test may bind the token to a key (`cnf`). A mock receives no proof of a key, so it skips this check.
    presentation: { schemes: ["Bearer"], check: () => Effect.void },
    verifier: TokenVerifier.make(() => Effect.succeed(principal)),
    requestState: Effect.runSync(RequestState.make(undefined, resource.resource)),
    allowedHosts: options.allowedHosts,
    challengeScopes: "auto",
    unlisted: "allow",
    anonymous: "deny",
    claims: ClaimsDecoder.reader(options.claimsService)
  })
  return { gate: { ...gate, authenticate: (request) => gate.authenticate(withToken(request)) }, principal }
}

/**
 * Provides a gate for tests of servers outside Effect, and the services of the option `layer`. Throws `AuthConfigError` if an
 * option is wrong.
 */
export const layer = <S extends Scopes, R, E>(
  options: MockOptions<S> & Pick<GateLayer.HostOptions<R, E>, "layer">,
  owner: string
): Layer.Layer<GateLayer.Services<ProtectedResource.OfferedOf<S>> | R, E> => {
  const { gate } = make(options as unknown as MockOptions<Scopes>, owner, { layer: GateLayer.layerRule })
  const provided = GateLayer.fromGate(gate)
  return (options.layer === undefined ? provided : Layer.merge(provided, options.layer)) as never
}

/** Creates a gate that rejects every request with the given error. `Host`, `Origin` and preflights are checked first. */
export const makeRejecting = (error: AuthError, options: MockOptions<Scopes>, owner: string): Gate.Gate => {
  ConfigOption.checkNames(options, owner, ["allowedHosts", "claimsService", "resource", "scopes"], adviceOnOptions)
  const { claimsService: _, ...others } = options
  const { gate } = make(others, owner)
  return {
    ...gate,
    authenticate: (request) =>
      Effect.flatMap(gate.authenticate(request), (caller) => gate.reject({ ...caller, principal: undefined }, error))
  }
}

/** Replaces the `Authorization` header, so that the gate never reports missing credentials. */
const withToken = (request: Gate.Request): Gate.Request => ({
  fiber: request.fiber,
  method: request.method,
  header: (name) => request.header(name),
  host: request.host,
  authorization: ["Bearer mock"]
})
