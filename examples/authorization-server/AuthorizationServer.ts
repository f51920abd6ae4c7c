/**
 * A real OAuth 2.1 authorization server on loopback, for the examples and the tests. It is `oidc-provider`, a certified
 * OpenID provider, configured for MCP: PKCE, resource indicators and dynamic client registration. It accepts no ID-JAG, because
 * `oidc-provider` has no such grant: `TestIssuer` of the testing kit does.
 *
 * Any caller can sign in under any name with any password. Therefore it listens on 127.0.0.1 only, and issues tokens only for
 * resources on loopback hosts.
 */
import { Context, Data, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
// oxlint-disable-next-line no-restricted-imports -- this is an authorization server, with its keys
import { generateKeyPair, randomBytes } from "node:crypto"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"
import { type ClientMetadata, type Configuration, errors, type JWK, Provider } from "oidc-provider"
import { MemoryAdapter } from "./MemoryAdapter.ts"

export type SigningAlgorithm = "RS256" | "ES256" | "PS256" | "Ed25519"

/**
 * The scopes of a resource, as `AuthLayer.make` accepts them. A request without `scope` gets the baseline (RFC 6749 §3.3), because
 * older MCP clients send no scope. A list is all baseline.
 */
export type Scopes =
  | ReadonlyArray<string>
  | { readonly baseline: ReadonlyArray<string>; readonly stepUp: ReadonlyArray<string> }

export interface Options {
  /** Default: a free port. */
  readonly port?: number
  /** The scopes that resources offer: the same for all, or a function of the resource identifier. Default: none. */
  readonly scopes?: Scopes | ((resource: string) => Scopes)
  /** The signature algorithm of access tokens and ID tokens. Default: `RS256`. */
  readonly signingAlgorithm?: SigningAlgorithm
  /** `jwt` (default): a JWT with `typ: at+jwt` (RFC 9068). `opaque`: a random string, which servers must introspect. */
  readonly accessTokenFormat?: "jwt" | "opaque"
  /** The lifetime of access tokens, in seconds. Default: 300. */
  readonly accessTokenLifetime?: number
  /**
   * The clients that get refresh tokens, among those that register the grant. `offline_access` (default): clients that request this
   * scope with `prompt=consent`, as OpenID Connect requires. `always`: all, because many MCP clients do not request this scope.
   */
  readonly refreshTokens?: "offline_access" | "always"
  /** Whether people can sign in on another device (RFC 8628). Default: `false`. */
  readonly deviceAuthorization?: boolean
}

/** A client with a secret and without a user. It uses the client credentials grant, and can introspect every token. */
export interface ConfidentialClient {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
}

export class AuthorizationServer extends Context.Service<AuthorizationServer, {
  readonly issuer: string
  readonly service: ConfidentialClient
}>()("examples/AuthorizationServer") {}

/** The error of an authorization server whose port is not available. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly port: number; readonly cause: Error }> {
  override get message() {
    return `The authorization server cannot listen on port ${this.port}: ${this.cause.message}`
  }
}

/** Starts an authorization server, which runs until the surrounding scope closes. */
export const make: (
  options?: Options
) => Effect.Effect<AuthorizationServer["Service"], ListenError, Scope.Scope> = Effect.fnUntraced(
  function*(options: Options = {}) {
    const http = yield* Effect.acquireRelease(listen(options.port ?? 0), close)
    const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    const service: ConfidentialClient = { clientId: "service", clientSecret: Redacted.make(secret()) }
    const provider = makeProvider(issuer, configuration(options, yield* signingKey(options.signingAlgorithm), service))

    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    provider.on("server_error", (_, error) => runFork(Effect.logError("authorization server", error)))
    provider.use(openRegistration)
    provider.use(listBaseline(options.scopes))
    http.on("request", provider.callback())
    return { issuer, service }
  }
)

export const layer = (options?: Options): Layer.Layer<AuthorizationServer, ListenError> =>
  Layer.effect(AuthorizationServer, make(options))

// Listens before the provider is created, because every document and token contains the issuer, which contains the port.
const listen = (port: number): Effect.Effect<Server, ListenError> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", (cause) => resume(Effect.fail(new ListenError({ port, cause }))))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const secret = () => randomBytes(32).toString("base64url")

// `promisify` uses only the last overload of `generateKeyPair`. That is enough, because both overloads have the same callback.
const generate = promisify(generateKeyPair)

const signingKey = (algorithm: SigningAlgorithm = "RS256"): Effect.Effect<JWK> =>
  Effect.promise(async () => {
    const { privateKey } = algorithm === "ES256"
      ? await generate("ec", { namedCurve: "P-256" })
      : algorithm === "Ed25519"
      ? await generate("ed25519")
      : await generate("rsa", { modulusLength: 2048 })
    return { ...privateKey.export({ format: "jwk" }), kid: secret(), alg: algorithm, use: "sig" } as JWK
  })

/** Adds CORS headers to the registration endpoint for clients in a browser. The provider adds them to all other endpoints. */
const openRegistration: Parameters<Provider["use"]>[0] = async (ctx, next) => {
  if (ctx.path !== "/reg") return next()
  ctx.set("access-control-allow-origin", "*")
  if (ctx.method !== "OPTIONS") return next()
  ctx.set("access-control-allow-methods", "POST")
  ctx.set("access-control-allow-headers", "content-type")
  ctx.status = 204
}

/**
 * Adds the baseline to `scopes_supported` of the metadata, if it is the same for all resources. Codex and Gemini CLI request every
 * scope of this list, instead of the scopes in the challenge. Therefore, step-up scopes are not in the list.
 */
const listBaseline = (scopes: Options["scopes"] = []): Parameters<Provider["use"]>[0] => async (ctx, next) => {
  await next()
  if (!ctx.path.startsWith("/.well-known/") || ctx.status !== 200 || typeof scopes === "function") return
  ctx.body = { ...ctx.body, scopes_supported: [...ctx.body.scopes_supported, ...baselineOf(scopes)] }
}

/** Creates the provider without its warning that `devInteractions` is for development only. No option disables the warning. */
const makeProvider = (issuer: string, configuration: Configuration): Provider => {
  const warn = console.warn
  console.warn = () => {}
  try {
    return new Provider(issuer, configuration)
  } finally {
    console.warn = warn
  }
}

/** Returns whether a resource is an http or https URL with a loopback host. */
export const isLoopback = (resource: string): boolean => {
  const url = URL.parse(resource)
  return url !== null && /^https?:$/.test(url.protocol) && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname)
}

const configuration = (options: Options, key: JWK, service: ConfidentialClient): Configuration => {
  const algorithm = options.signingAlgorithm ?? "RS256"
  const lifetime = options.accessTokenLifetime ?? 300
  const offered = options.scopes ?? []
  const scopesFor = typeof offered === "function" ? offered : () => offered
  const day = 24 * 60 * 60
  return {
    adapter: MemoryAdapter.factory(),
    jwks: { keys: [key] },
    cookies: { keys: [secret()] },
    scopes: ["openid", "offline_access"],
    clients: [confidential(service)],
    clientDefaults: { id_token_signed_response_alg: algorithm },
    // Ignores the scopes of a registration. Otherwise a client could not request further scopes later (step-up).
    extraClientMetadata: {
      properties: ["scope"],
      validator: (_ctx, _key, _value, metadata) => void delete metadata.scope
    },
    extraParams: {
      scope: ({ oidc }, scope) => {
        const resource = oidc.params?.["resource"]
        if (scope !== undefined || typeof resource !== "string") return
        oidc.params!["scope"] = baselineOf(scopesFor(resource)).join(" ")
      }
    },
    pkce: { required: () => true },
    clientBasedCORS: () => true,
    ...(options.refreshTokens === "always"
      ? { issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token") }
      : {}),
    findAccount: (_ctx, subject) => ({ accountId: subject, claims: () => ({ sub: subject }) }),
    renderError: (ctx, { error, error_description }) => {
      ctx.type = "text"
      ctx.body = error_description === undefined ? error : `${error}: ${error_description}`
    },
    // Sets every lifetime, because the provider writes a notice to the console for each lifetime that is not set.
    ttl: {
      AccessToken: lifetime,
      ClientCredentials: lifetime,
      AuthorizationCode: 60,
      DeviceCode: 10 * 60,
      IdToken: lifetime,
      Interaction: 60 * 60,
      Session: day,
      Grant: day,
      RefreshToken: day
    },
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId === service.clientId },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      dPoP: { enabled: true },
      deviceFlow: {
        enabled: options.deviceAuthorization ?? false,
        userCodeInputSource: (ctx, form) => void (ctx.body = devicePage("Enter the code", form)),
        userCodeConfirmSource: (ctx, form, _client, _device, userCode) =>
          void (ctx.body = devicePage(`Is this the code? ${userCode}`, form)),
        successSource: (ctx) => void (ctx.body = devicePage("You are signed in"))
      },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // If a token request does not repeat `resource`, the token is for the resource of the authorization request.
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (!isLoopback(resource)) throw new errors.InvalidTarget("only resources on loopback are served")
          return {
            audience: resource,
            scope: allOf(scopesFor(resource)).join(" "),
            accessTokenTTL: lifetime,
            ...(options.accessTokenFormat === "opaque"
              ? { accessTokenFormat: "opaque" }
              : { accessTokenFormat: "jwt", jwt: { sign: { alg: algorithm } } })
          }
        }
      }
    }
  }
}

/** A page of the sign-in on another device. `form` is HTML of the provider. */
const devicePage = (heading: string, form = "") => `<!doctype html><title>Sign-in</title><h1>${heading}</h1>${form}`

const baselineOf = (scopes: Scopes): ReadonlyArray<string> => "baseline" in scopes ? scopes.baseline : scopes

const allOf = (scopes: Scopes): ReadonlyArray<string> =>
  "baseline" in scopes ? [...scopes.baseline, ...scopes.stepUp] : scopes

const confidential = ({ clientId, clientSecret }: ConfidentialClient): ClientMetadata => ({
  client_id: clientId,
  client_secret: Redacted.value(clientSecret),
  token_endpoint_auth_method: "client_secret_basic",
  grant_types: ["client_credentials"],
  response_types: [],
  redirect_uris: []
})
