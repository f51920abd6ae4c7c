/**
 * The authentication layer of servers on the `HttpRouter` of Effect.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Gate from "../../authorization/Gate.ts"
import type * as ProtectedResource from "../../authorization/ProtectedResource.ts"
import type { PublicUrl } from "../../authorization/public-url/PublicUrl.ts"
import type {
  Common,
  Inputs,
  OnlyKnown,
  Options as GateOptions,
  Scopes,
  Servers,
  ServicesOf
} from "../../composition/AuthOptions.ts"
import { checkNames } from "../../composition/checkOptions.ts"
import * as GateLayer from "../../composition/GateLayer.ts"
import * as HttpClientFetcher from "../../outbound/http-client/HttpClientFetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import * as EffectHttp from "./EffectHttp.ts"
import type { Protected, Provided } from "./Protected.ts"
import { type Claims, withDecoder } from "./SchemaClaims.ts"

export type { AuthChallenge, ChallengedRequest, ChallengeForm } from "../../authorization/AuthChallenge.ts"

export type { Cached, Common, Issuers, Scopes, Servers } from "../../composition/AuthOptions.ts"

/**
 * An authorization server, as the option `authorizationServers` accepts it.
 *
 * @category models
 * @since 0.1.0
 */
export type { Input as AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"

export { exposedHeaders } from "../../authorization/Rejection.ts"

export { allowInsecureHttp, allowPrivateEndpoints } from "../../verification/issuers/AuthorizationServer.ts"

/**
 * The service that `make` and `mock` provide, and that a protected server requires.
 *
 * @category services
 * @since 0.1.0
 */
export { AuthLayer } from "../../authorization/Gate.ts"

export { mock, mockRejected } from "./MockLayer.ts"
export type { MockOptions } from "./MockLayer.ts"
export type { Protected, Provided } from "./Protected.ts"

/**
 * A `Config` as the value of an option. `E` is the error of the `Config`.
 *
 * @category models
 * @since 0.1.0
 */
export type FromConfig<T, E> = Config.Config<T> & Effect.Effect<T, E>

/**
 * The options of `make`.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<
  S extends Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  I extends Servers | Config.Config<ReadonlyArray<AuthorizationServer.Input>> = Inputs,
  EC = never,
  EH = never,
  RH = never,
  RS = never,
  RQ = never
> =
  & Omit<Common<S, C, A, RD, RT, RR, RK, RS, RQ>, "allowedOrigins" | "allowedHosts" | "claims">
  & Places<I, EC>
  & {
    /**
     * A service for custom claims, and the schema or the function that decodes the value of this service from the claims of a
     * token. The schema is one of Effect, or a Standard Schema such as one of zod. A Standard Schema without a service only
     * checks the claims. An asynchronous Standard Schema has 5 seconds;
     * if it throws, rejects or takes longer, the gate answers 500. The gate rejects a token if its claims do not match. Requests with the same token share the value, so the value is
     * frozen. A value that contains anything other than plain data and instances of a `Schema.Class` cannot be frozen, so it
     * is decoded for each request.
     */
    readonly claims?: Claims<C, A> | undefined
    /**
     * The HTTP client that sends the requests to authorization servers, for example through a proxy. It must not follow
     * redirects. Default: `FetchHttpClient.layer`.
     */
    readonly httpClient?: Layer.Layer<HttpClient.HttpClient, EH, RH> | undefined
  }

/**
 * The options that may differ from one deployment to another. Each of them also accepts a `Config` of its value. In a list from
 * a `Config`, empty entries and the spaces around entries are ignored.
 *
 * @category models
 * @since 0.1.0
 */
export interface Places<I extends Servers | Config.Config<ReadonlyArray<AuthorizationServer.Input>>, EC = never> {
  /**
   * The resource identifier: the URL at which clients reach the server, in canonical form. The scheme must be https, except on
   * loopback. If it has no path, `https://host` and `https://host/` are the same resource (RFC 3986 §6.2.3). If it has a path, a final
   * slash makes a difference. If a reverse proxy changes the path, or if the server has several public URLs, write a value of
   * `PublicUrl` from `effect-mcp-auth/public-url`.
   */
  readonly resource: string | PublicUrl | FromConfig<string | PublicUrl, EC>
  /**
   * Issuers, issuers with details, or profiles of identity providers, such as `[Profiles.okta({ … })]` with `Profiles` from
   * `effect-mcp-auth/provider`. Clients sign in at the first one.
   */
  readonly authorizationServers: I & OnlyKnown<I>
  /**
   * Origins of web pages, extensions and desktop applications that may send requests, in addition to the origin of the resource:
   * a list, or a function that returns whether an origin is allowed. Examples are `https://app.example.com`,
   * `chrome-extension://<id>`, `vscode-webview://<id>` and `tauri://localhost`. The option does not affect requests without an
   * `Origin` header. Default: none.
   *
   * The gate rejects every other origin with 403, so the request runs nothing. A CORS middleware cannot do that: it only tells
   * browsers which pages may read a response. An origin needs both, if the responses of your handlers are for a page.
   *
   * The function receives one well-formed origin of at most 512 characters, and never `null`. If it throws or returns anything
   * other than a boolean, the gate answers 500.
   */
  readonly allowedOrigins?: Common<Scopes>["allowedOrigins"] | FromConfig<ReadonlyArray<string>, EC>
  /**
   * Host names by which clients may address the server. The server compares the `Host` header without its port with these
   * names. Default: for a resource on loopback, the server accepts `localhost`, `*.localhost`, `127.0.0.0/8` and `[::1]`, and
   * rejects every other value with 403, to prevent DNS rebinding. For a resource with http on another host, it accepts only the
   * host name of the resource, and for an https resource every value.
   *
   * For a resource on loopback, this option adds names to the default. Use it if a container or a tunnel reaches the server by
   * another name. A web page on one of these names can then send requests to the server. For any other resource, the server
   * accepts only the names in this option and the host name of the resource. `X-Forwarded-Host` is not read.
   */
  readonly allowedHosts?: Common<Scopes>["allowedHosts"] | FromConfig<ReadonlyArray<string>, EC>
}

/**
 * Protects the routes and the MCP server to which it is provided, and publishes the metadata of the resource.
 *
 * **When to use**
 *
 * Use it for a server on the `HttpRouter` of Effect.
 *
 * **Details**
 *
 * The layer fetches nothing while it is built. The first token causes discovery and the request for keys; `ready` does both
 * before the server listens. If an option is wrong, the layer fails with `AuthConfigError`, which names the option and the
 * correction.
 *
 * If an option requires a service, the layer requires this service too. For example, `Dpop.required` requires a store.
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
 * **Example** (URLs from environment variables)
 *
 * ```ts
 * import { Config, ConfigProvider, Layer, Schema } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * const Auth = AuthLayer.make({
 *   resource: Config.String("RESOURCE_URL"),
 *   // Issuers, separated by commas.
 *   authorizationServers: Config.Array(Schema.String, "AUTHORIZATION_SERVERS"),
 *   scopes: ["todos:read"]
 * })
 *
 * // In a test, a record replaces the environment.
 * const Test = Auth.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({
 *   RESOURCE_URL: "https://todos.example.com/mcp",
 *   AUTHORIZATION_SERVERS: "https://auth.example.com"
 * }))))
 * ```
 *
 * **Example** (An authorization server that has another name inside the network)
 *
 * ```ts
 * import { Config } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * // ISSUER is the issuer in tokens, such as https://auth.example.com/realms/todos. The server fetches metadata and keys from the
 * // other URLs, such as https://keycloak.internal/realms/todos/.well-known/openid-configuration.
 * const server = Config.all({
 *   issuer: Config.String("ISSUER"),
 *   metadataUrl: Config.String("METADATA_URL"),
 *   jwksUri: Config.String("JWKS_URI")
 * })
 *
 * const Auth = AuthLayer.make({
 *   resource: Config.String("RESOURCE_URL"),
 *   authorizationServers: Config.map(server, (server) => [server]),
 *   scopes: ["todos:read"]
 * })
 * ```
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
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   httpClient: FetchHttpClient.layer.pipe(Layer.provide(Layer.succeed(FetchHttpClient.Fetch, throughProxy)))
 * })
 * ```
 *
 * **Example** (A server that listens only after it has fetched the keys)
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
 *   Layer.provide(Auth.ready)
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const make = <
  const S extends Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  const I extends Servers | Config.Config<ReadonlyArray<AuthorizationServer.Input>> = Servers,
  EC = never,
  EH = never,
  RH = never,
  RS = never,
  RQ = never
>(
  options: Options<S, C, A, RD, RT, RR, RK, I, EC, EH, RH, RS, RQ>
): Protected<
  Provided<ProtectedResource.OfferedOf<S>, C>,
  AuthConfigError | (I extends Config.Config<unknown> ? Config.ConfigError : never) | EC | EH,
  HttpRouter.HttpRouter | ServicesOf<I> | RD | RT | RR | RK | RS | RQ | RH
> => {
  const services = gateOf(options as unknown as Options<Scopes>)
  return Object.assign(
    // `fresh`, because Effect builds a layer constant only once, and a second resource of the program needs a separate gate.
    Layer.mergeAll(Layer.fresh(EffectHttp.middleware), Layer.fresh(EffectHttp.metadata)).pipe(
      Layer.provideMerge(services)
    ),
    { ready: Layer.effectDiscard(Effect.flatMap(Gate.AuthLayer, (gate) => gate.ready)).pipe(Layer.provide(services)) }
  ) as unknown as ReturnType<typeof make<S, C, A, RD, RT, RR, RK, I, EC, EH, RH, RS, RQ>>
}

/** Creates the layer of the gate from the options. In JavaScript, the options can be any value. */
const gateOf = (options: Options<Scopes>) => {
  const checked = ConfigOption.attempt(() => checkNames(options, "httpClient"))
  if (Result.isFailure(checked)) return Layer.effectDiscard(Effect.fail(checked.failure))
  const { httpClient = FetchHttpClient.layer, ...others } = options
  return Layer.isLayer(httpClient)
    ? Layer.unwrap(Effect.map(readConfigs(others), gateFrom)).pipe(Layer.provide(httpClient))
    : Layer.effectDiscard(Effect.fail(
      ConfigOption.invalid("httpClient", httpClient, "a layer", "Give one that provides HttpClient, or leave it out")
    ))
}

const gateFrom = (options: unknown) =>
  GateLayer.layer(withDecoder(options as GateOptions<Scopes>)).pipe(
    // Otherwise Effect would build this layer once for all gates of a program, with the HTTP client of the first one.
    Layer.provide(Layer.fresh(HttpClientFetcher.layer))
  )

const readConfigs = Effect.fnUntraced(function*(options: object) {
  const read: Record<string, unknown> = { ...options }
  const missing: Array<readonly [variable: string, option: string]> = []
  for (
    const name of ["resource", "authorizationServers", "allowedOrigins", "allowedHosts"] satisfies Array<
      keyof Places<Servers>
    >
  ) {
    const config = read[name]
    if (!Config.isConfig(config)) continue
    const result = yield* Effect.result(config)
    if (Result.isSuccess(result)) {
      read[name] = withoutSpaces(result.success)
      continue
    }
    const variables = yield* findMissing(config, result.failure)
    if (variables.length === 0) return yield* Effect.fail(result.failure)
    missing.push(...variables.map((variable) => [variable, name] as const))
  }
  if (missing.length === 0) return read
  // All missing variables are reported at once, so that one deployment is enough to set them.
  return yield* ConfigOption.error(
    [...new Set(missing.map(([, option]) => option))].join(", "),
    `${missing.map(([variable, option]) => `${variable} (${option}) is not set`).join("; ")}. Set ${
      missing.length === 1 ? "it" : "them"
    } in the environment, or in the ConfigProvider`,
    "missing"
  )
})

/** The most attempts to find missing variables of one `Config`. */
const maximumAttempts = 32

/** Returns the variables because of which a `Config` failed, if they are not set. */
const findMissing = Effect.fnUntraced(function*(config: Config.Config<unknown>, failure: Config.ConfigError) {
  const provider = yield* ConfigProvider.ConfigProvider
  const missing = new Set<string>()
  // A `Config` stops at the first missing variable. The others are found with a value in its place, which suits texts and numbers.
  const replacement = ConfigProvider.make((path) =>
    Effect.succeed(missing.has(nameOf(path)) ? ConfigProvider.makeValue("1") : undefined)
  )
  let error = failure
  for (let attempt = 0; attempt < maximumAttempts; attempt++) {
    const paths = pathsIn(error)
    const unset = yield* Effect.filter(
      paths,
      (path) => Effect.map(provider.load(path), (node) => node === undefined && path.length > 0)
    )
    // A variable with a wrong value is reported by the error of the `Config` itself.
    if (attempt === 0 && unset.length < paths.length) return []
    const before = missing.size
    for (const path of unset) missing.add(nameOf(path))
    if (missing.size === before) break
    const exit = yield* Effect.exit(
      Effect.provideService(config, ConfigProvider.ConfigProvider, ConfigProvider.orElse(provider, replacement))
    )
    const next = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
    if (Option.isNone(next)) break
    error = next.value
  }
  return [...missing]
})

const nameOf = (path: ReadonlyArray<string | number>): string => path.join("_")

/** Returns the paths of the values that an error is about. */
const pathsIn = ({ cause }: Config.ConfigError): ReadonlyArray<ReadonlyArray<string>> =>
  cause._tag !== "SchemaError" ?
    [] :
    formatIssue(cause.issue).issues.map(({ path = [] }) =>
      path.map((step) => String(typeof step === "object" ? step.key : step))
    )

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

// Environment variables often contain lists such as "a, b". An issuer is compared exactly, so the space must not remain.
const withoutSpaces = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((_) => typeof _ === "string" ? _.trim() : _).filter((_) => _ !== "") : value
