/**
 * The authentication layer: what most people import.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ClaimsDecoder from "../../authorization/ClaimsDecoder.ts"
import * as Gate from "../../authorization/Gate.ts"
import {
  type RegisterWithMcpAuthToolkit,
  registerWithMcpAuthToolkit,
  type RequiredScopesOf
} from "../../authorization/Policy.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type * as RequestState from "../../authorization/RequestState.ts"
import type { ScopeHierarchy } from "../../authorization/ScopeHierarchy.ts"
import type { Common, LiteralScopes, Options, Scopes } from "../../composition/AuthOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import { mockGate, mockIssuer, withToken } from "../../composition/mockGate.ts"
import * as HttpClientFetcher from "../../outbound/http-client/HttpClientFetcher.ts"
import {
  AuthConfigError,
  type AuthError,
  type AuthorizationServerUnavailable,
  type InsufficientScope,
  type InvalidMetadata
} from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as Principal from "../../verification/Principal.ts"
import * as EffectHttp from "./EffectHttp.ts"

/**
 * What can be configured.
 *
 * @category models
 * @since 0.1.0
 */
export type { Cached, Common, Issuers, Options, Scopes } from "../../composition/AuthOptions.ts"

/**
 * An authorization server, as the option `authorizationServers` takes it.
 *
 * @category models
 * @since 0.1.0
 */
export type { Input as AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"

export { allowInsecureHttp, allowPrivateEndpoints } from "../../verification/issuers/AuthorizationServer.ts"

/**
 * The service that `make` and its sisters provide, and that a protected server requires.
 *
 * @category services
 * @since 0.1.0
 */
export { AuthLayer } from "../../authorization/Gate.ts"

/**
 * What the layer provides: the gate, one requirement per offered scope, and for each request the `Principal` and the
 * user's own claims.
 *
 * @category utility types
 * @since 0.1.0
 */
export type Provided<S extends string, C = never> =
  | Gate.AuthLayer
  | RequiredScopesOf<S>
  | HttpRouter.Request.From<"Requires", Principal.Principal | RequestState.RequestState | RequiredScopesOf<S> | C>
  | HttpRouter.Request<"Error", InsufficientScope>

/**
 * Protects the routes and the MCP server to which it is provided, and publishes the metadata of the resource.
 *
 * **When to use**
 *
 * For a server on Effect's `HttpRouter`. It brings its own HTTP client, which follows no redirect.
 *
 * **Details**
 *
 * Nothing is fetched while the layer is built: discovery and keys come with the first token (see `ready` for an eager
 * start). A wrong option fails the
 * layer with `AuthConfigError`, which names the option and what to write.
 *
 * **Example** (A server that offers two scopes)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] }
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const make = <const S extends Scopes, C = never, A = unknown, RD = never, RT = never, RR = never>(
  options: Options<S, C, A, RD, RT, RR>
): Layer.Layer<
  Provided<ProtectedResource.OfferedOf<S>, C>,
  AuthConfigError,
  HttpRouter.HttpRouter | RD | RT | RR
> =>
  provided<ProtectedResource.OfferedOf<S>, C, AuthConfigError, RD | RT | RR>(
    layerServices(options).pipe(Layer.provide(FetchHttpClient.layer))
  )

/**
 * `make` with an HTTP client of your choice.
 *
 * **When to use**
 *
 * Metadata and keys have to be fetched in a way of your own: through a proxy, with a certificate, or in a test.
 *
 * **Example** (A proxy on the way to the authorization server)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 * import { FetchHttpClient } from "effect/http"
 *
 * const throughProxy: typeof globalThis.fetch = (input, init) => fetch(input, { ...init, keepalive: true })
 *
 * const Auth = AuthLayer.layer({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * }).pipe(
 *   Layer.provide(FetchHttpClient.layer),
 *   Layer.provide(Layer.succeed(FetchHttpClient.Fetch, throughProxy))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <const S extends Scopes, C = never, A = unknown, RD = never, RT = never, RR = never>(
  options: Options<S, C, A, RD, RT, RR>
): Layer.Layer<
  Provided<ProtectedResource.OfferedOf<S>, C>,
  AuthConfigError,
  HttpClient.HttpClient | HttpRouter.HttpRouter | RD | RT | RR
> =>
  provided<ProtectedResource.OfferedOf<S>, C, AuthConfigError, HttpClient.HttpClient | RD | RT | RR>(
    layerServices(options)
  )

/**
 * The gate alone: for hosts that are not Effect's router.
 *
 * **When to use**
 *
 * You write an adapter for a host, or give it to `fromLayer` of one of the adapters.
 *
 * **Example** (A host of your own)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Gate } from "effect-mcp-auth/host"
 * import { FetchHttpClient } from "effect/http"
 * import assert from "node:assert/strict"
 *
 * const Services = AuthLayer.layerServices({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * }).pipe(Layer.provide(FetchHttpClient.layer))
 *
 * const resource = await Effect.runPromise(
 *   Effect.map(Gate.AuthLayer, (gate) => gate.resource.resource).pipe(Effect.provide(Services))
 * )
 * assert.strictEqual(resource, "https://todos.example.com/mcp")
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServices = <const S extends Scopes, C = never, A = unknown, RD = never, RT = never, RR = never>(
  options: Options<S, C, A, RD, RT, RR>
): Layer.Layer<
  Gate.AuthLayer | RequiredScopesOf<ProtectedResource.OfferedOf<S>>,
  AuthConfigError,
  HttpClient.HttpClient | RD | RT | RR
> => GateLayer.layer(withDecoder(options)).pipe(Layer.provide(HttpClientFetcher.layer))

/** The option `claims` with a decoder in the place of a schema. What is wrong stays for the check of the options. */
const toDecoded = (claims: Common<Scopes, any, any>["claims"]): ClaimsDecoder.Decoded<any, any> | undefined =>
  typeof claims === "object" && claims !== null && "schema" in claims && Schema.isSchema(claims.schema)
    ? {
      service: claims.service,
      decode: Schema.decodeUnknownResult(claims.schema as Schema.ConstraintDecoder<unknown>)
    }
    : claims as ClaimsDecoder.Decoded<any, any> | undefined

const withDecoder = <O extends { readonly claims?: Common<Scopes, any, any>["claims"] }>(options: O): O =>
  typeof options === "object" && options !== null && "claims" in options
    ? { ...options, claims: toDecoded(options.claims) }
    : options

/**
 * `make`, with the places read from the environment: `RESOURCE_URL`, `AUTHORIZATION_SERVERS` (issuers, separated by
 * commas) and, if set, `ALLOWED_ORIGINS` and `ALLOWED_HOSTS` (separated by commas), which replace the options of that name.
 *
 * **When to use**
 *
 * The same program runs in several places, each with a URL and an issuer of its own.
 *
 * **Details**
 *
 * The scopes stay in code, where the compiler compares them with those of the tools. If
 * `authorizationServers` is set here, `AUTHORIZATION_SERVERS` is not read.
 *
 * **Example** (Places from the environment)
 *
 * ```ts
 * import { ConfigProvider, Layer } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * const Auth = AuthLayer.config({ scopes: ["todos:read"] })
 *
 * // In a test the environment is a record.
 * const Test = Auth.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({
 *   RESOURCE_URL: "https://todos.example.com/mcp",
 *   AUTHORIZATION_SERVERS: "https://auth.example.com"
 * }))))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const config = <const S extends Scopes, C = never, A = unknown>(
  options: Common<S, C, A> & Partial<Pick<Options<S, C, A>, "authorizationServers">>
): Layer.Layer<
  Provided<ProtectedResource.OfferedOf<S>, C>,
  AuthConfigError | Config.ConfigError,
  HttpRouter.HttpRouter
> =>
  provided<ProtectedResource.OfferedOf<S>, C, AuthConfigError | Config.ConfigError, never>(
    Layer.unwrap(Effect.gen(function*() {
      // From JavaScript options may be missing: then the gate reports the first one that it needs.
      const issuers = (options as typeof options | undefined)?.authorizationServers === undefined
        ? yield* environmentIssuers :
        {}
      return layerServices({ ...options, ...placesOf(yield* environment), ...issuers } as unknown as Options<S, C, A>)
        .pipe(
          Layer.provide(FetchHttpClient.layer)
        )
    }))
  )

/** What stands behind a layer of `make` and its sisters: layers are memoised by reference, so both are built once. */
const servicesOf = new WeakMap<object, Layer.Layer<Gate.AuthLayer, any, any>>()

/**
 * An eager start: built, it has fetched the metadata and the keys of every authorization server, or it fails. Without
 * it the first token waits for them.
 *
 * **Details**
 *
 * Give it the layer that `make`, `layer` or `config` returned, and provide it outside the HTTP server. The keys that it
 * fetched are those of the layer. It takes 13 seconds at most.
 *
 * **Gotchas**
 *
 * What is provided last is built first. Inside the server the layer would be built while the port is open already, and
 * requests sent meanwhile would hang.
 *
 * **Example** (A server that does not listen before it can verify tokens)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { AuthLayer, Principal } from "effect-mcp-auth"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import { createServer } from "node:http"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"]
 * })
 * const Whoami = HttpRouter.add("GET", "/", Effect.map(Principal, (_) => HttpServerResponse.text(_.owner)))
 *
 * const Main = HttpRouter.serve(Whoami.pipe(Layer.provide(Auth))).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 })),
 *   Layer.provide(AuthLayer.ready(Auth))
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const ready = <A, E, R>(
  auth: Layer.Layer<A, E, R>
): Layer.Layer<
  never,
  E | AuthConfigError | AuthorizationServerUnavailable | InvalidMetadata,
  Exclude<R, HttpRouter.HttpRouter>
> => {
  const services = servicesOf.get(auth)
  return services === undefined
    ? Layer.effectDiscard(Effect.fail(
      new AuthConfigError({
        reason: "missing",
        option: "AuthLayer.ready",
        fix:
          "the argument is not a layer that AuthLayer.make, AuthLayer.layer or AuthLayer.config returned. Pass that layer " +
          "itself, before Layer.provide wraps it"
      })
    ))
    : Layer.effectDiscard(Effect.flatMap(Gate.AuthLayer, (gate) => gate.ready)).pipe(Layer.provide(services))
}

// "a, b" is how people write lists: the spaces are not part of an issuer, which is compared to the letter.
const list = (name: string) =>
  Config.map(
    Config.Array(Schema.String, name),
    (values) => values.map((_) => _.trim()).filter((_) => _ !== "")
  )

const environmentIssuers = Config.all({ authorizationServers: list("AUTHORIZATION_SERVERS") })

const environment = Config.all({
  resource: Config.String("RESOURCE_URL"),
  allowedOrigins: Config.option(list("ALLOWED_ORIGINS")),
  allowedHosts: Config.option(list("ALLOWED_HOSTS"))
})

/** A variable that is not set leaves the option as it is. */
const placesOf = ({ allowedHosts, allowedOrigins, resource }: Config.Success<typeof environment>) => ({
  resource,
  ...(allowedOrigins._tag === "None" ? {} : { allowedOrigins: allowedOrigins.value }),
  ...(allowedHosts._tag === "None" ? {} : { allowedHosts: allowedHosts.value })
})

/**
 * Beside the gate: its middleware for routes, and the metadata documents, which stay outside that middleware. All of it
 * fresh: layers are memoised by reference, and a second resource in the same program must not get the first one's gate.
 */
const provided = <S extends string, C, E, R>(
  services: Layer.Layer<Gate.AuthLayer | RequiredScopesOf<S>, E, R>
): Layer.Layer<Provided<S, C>, E | AuthConfigError, R | HttpRouter.HttpRouter> => {
  const auth = Layer.mergeAll(Layer.fresh(EffectHttp.middleware), Layer.fresh(EffectHttp.metadata)).pipe(
    Layer.provideMerge(services)
  ) as Layer.Layer<
    Provided<S, C>,
    E | AuthConfigError,
    R | HttpRouter.HttpRouter
  >
  servicesOf.set(auth, services)
  return auth
}

/**
 * Who calls in a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface MockOptions<S extends Scopes, C = never, A = unknown> {
  /** Default: `alice`. */
  readonly subject?: string | undefined
  /** The scopes that the layer offers, as `make` takes them; the caller has all of them unless `granted` says less. */
  readonly scopes: S & LiteralScopes<S>
  /** The scopes of the caller. */
  readonly granted?: ReadonlyArray<ProtectedResource.OfferedOf<S>> | undefined
  readonly scopeHierarchy?: ScopeHierarchy | undefined
  readonly issuer?: string | undefined
  readonly clientId?: string | undefined
  /** The tenant of the caller. Default: none. */
  readonly tenant?: string | undefined
  /** What else the token says. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** The `claims` option of the real layer: the claims above are decoded as those of a token are. */
  readonly claimsService?: Common<S, C, A>["claims"]
  /** The resource identifier. Default: `http://localhost/mcp`. */
  readonly resource?: string | undefined
  /** The `allowedHosts` option of the real layer: a mock of a loopback resource rejects any other `Host`, too. */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

const mockNames: Readonly<Record<keyof MockOptions<Scopes>, true>> = {
  subject: true,
  scopes: true,
  granted: true,
  scopeHierarchy: true,
  issuer: true,
  clientId: true,
  tenant: true,
  claims: true,
  claimsService: true,
  resource: true,
  allowedHosts: true
}

const checkMock = (options: object): void => {
  const known = Object.keys(mockNames)
  const isObject = typeof options === "object" && options !== null
  const unknown = isObject ? Object.keys(options).find((name) => !known.includes(name)) : undefined
  if (isObject && unknown === undefined) return
  throw new AuthConfigError({
    reason: "malformed",
    option: unknown === undefined ? "AuthLayer.mock" : `AuthLayer.mock.${unknown}`,
    fix: unknown === undefined
      ? `${OptionValue.isNot(options, "an object")}. Give one with scopes, such as { scopes: ["todos:read"] }`
      : OptionValue.noSuchOption(known)
  })
}

/**
 * All that `make` provides, and the `Principal` for plain effects, without tokens and without a network: for tests.
 *
 * **Details**
 *
 * Every request is the caller's, whatever its headers say; all the rest is the real gate. Typed like the real layer: a test
 * that lacks a scope does not compile either. With `granted` the caller has fewer scopes than the server offers, so that
 * rejections can be tested. Claims that do not fit `claimsService` are a defect when the layer is built.
 *
 * Throws `AuthConfigError` for what the real layer would reject, such as a scope outside the grammar.
 *
 * **Example** (Testing an effect)
 *
 * ```ts
 * import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
 * import { Effect } from "effect"
 *
 * const whoami = requireScopes("profile")(Effect.map(Principal, (caller) => caller.subject))
 * const test = Effect.provide(whoami, AuthLayer.mock({ subject: "alice", scopes: ["profile"] }))
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mock = <const S extends Scopes, C = never, A = unknown>(
  options: MockOptions<S, C, A>
): Layer.Layer<
  Principal.Principal | RegisterWithMcpAuthToolkit | C | Provided<ProtectedResource.OfferedOf<S>, C>
> => {
  type Offered = ProtectedResource.OfferedOf<S>
  checkMock(options)
  const { gate, principal } = mockGate({ ...options, claimsService: toDecoded(options.claimsService) }, (resource) => {
    const granted = new Set<string>(options.granted ?? resource.offered)
    const issuer = options.issuer ?? mockIssuer
    const subject = options.subject ?? "alice"
    return Principal.make({
      issuer,
      subject,
      clientId: options.clientId,
      ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
      scopes: resource.effectiveScopes(granted),
      granted,
      audience: [resource.resource],
      expiresAt: 8.64e12,
      claims: { iss: issuer, sub: subject, ...options.claims },
      token: Redacted.make("a mock has no token", { label: "token" })
    })
  })
  const authenticate: Gate.Gate["authenticate"] = (request) => gate.authenticate(withToken(request))
  return Layer.mergeAll(
    Layer.succeed(Principal.Principal, principal),
    Layer.succeed(registerWithMcpAuthToolkit, undefined),
    Layer.effectContext(Effect.suspend(() => ownClaims(options, principal))),
    Layer.fresh(EffectHttp.middleware).pipe(Layer.provideMerge(GateLayer.fromGate<Offered>({ ...gate, authenticate })))
  ) as unknown as Layer.Layer<Principal.Principal | RegisterWithMcpAuthToolkit | C | Provided<Offered, C>>
}

const ownClaims = (
  { claimsService }: Pick<MockOptions<Scopes, any, any>, "claimsService">,
  principal: Principal.Principal
): Effect.Effect<Context.Context<never>> =>
  Effect.fromResult(ClaimsDecoder.reader(toDecoded(claimsService))?.(principal) ?? Result.succeed(Context.empty()))
    .pipe(
      Effect.catch((error) =>
        Effect.die(
          new AuthConfigError({
            reason: "malformed",
            option: "AuthLayer.mock.claims",
            fix: `the claims do not fit claimsService.schema: ${
              error instanceof Error ? error.message : String(error)
            }. Give claims that fit, or correct the schema`
          })
        )
      )
    )

/**
 * A layer that rejects every request for the reason given: for tests of what people see then.
 *
 * **Example** (An outage)
 *
 * ```ts
 * import { AuthError, AuthLayer } from "effect-mcp-auth"
 *
 * const Outage = AuthLayer.mockRejected(
 *   new AuthError.AuthorizationServerUnavailable({ reason: "timeout", issuer: "https://auth.example.com", retryAfter: 5 }),
 *   { scopes: ["todos:read"] }
 * )
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const mockRejected = <const S extends Scopes, C = never, A = unknown>(
  error: AuthError,
  options: Pick<MockOptions<S, C, A>, "allowedHosts" | "scopes" | "resource" | "claimsService">
): Layer.Layer<Provided<ProtectedResource.OfferedOf<S>, C>> => {
  type Offered = ProtectedResource.OfferedOf<S>
  const { gate } = mockGate({ ...options, claimsService: undefined }, (resource) =>
    Principal.make({
      issuer: mockIssuer,
      subject: "alice",
      clientId: undefined,
      scopes: new Set<string>(),
      granted: new Set<string>(),
      audience: [resource.resource],
      expiresAt: 8.64e12,
      claims: {},
      token: Redacted.make("a mock has no token", { label: "token" })
    }))
  // `Host`, `Origin` and preflights come first, as they do at the real gate.
  const reject: Gate.Gate["authenticate"] = (request) =>
    Effect.flatMap(
      gate.authenticate(withToken(request)),
      (caller) => gate.reject({ ...caller, principal: undefined }, error)
    )
  return Layer.fresh(EffectHttp.middleware).pipe(
    Layer.provideMerge(GateLayer.fromGate<Offered>({ ...gate, authenticate: reject }))
  ) as unknown as Layer.Layer<Provided<Offered, C>>
}
