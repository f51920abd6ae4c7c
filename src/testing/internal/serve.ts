import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Endpoints from "./endpoints.ts"
import type { TestIssuer } from "./issuerModel.ts"
import { defined, type KeyRing } from "./keys.ts"
import type { Minter } from "./mint.ts"
import * as SignIn from "./signIn.ts"
import { jwtBearer, token, tokenExchange } from "./tokenEndpoint.ts"

export interface Settings {
  readonly issuer: string
  readonly resource: string
  readonly keys: KeyRing
  readonly minter: Minter
  readonly algorithm: string
  readonly clients: Map<string, Endpoints.Client>
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly jwk: Readonly<Record<string, unknown>> | undefined
  readonly jwksUri: string | undefined
  readonly elsewhere: ((url: URL) => Response | undefined) | undefined
  readonly cacheControl: string | undefined
  readonly identityProviders: ReadonlyArray<TestIssuer["Service"]>
  readonly workloadIssuers: ReadonlyArray<TestIssuer["Service"]>
  readonly signIn: SignIn.SignInMode | undefined
  readonly tokenLifetime: Duration.Input | undefined
}

/** The metadata of a token endpoint that accepts assertions of other issuers. */
const grantMembers = ({ identityProviders, workloadIssuers }: Settings): Readonly<Record<string, unknown>> => ({
  ...(identityProviders.length + workloadIssuers.length === 0
    ? {}
    : { grant_types_supported: ["authorization_code", "client_credentials", tokenExchange, jwtBearer] }),
  ...(identityProviders.length === 0
    ? {}
    : { authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"] })
})

const authentication = ["client_secret_basic", "client_secret_post", "private_key_jwt"]

/** Fetches the keys of another issuer for each request, so that a test can rotate them or make the issuer fail. */
const trusted =
  (run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>) =>
  ({ issuer, jwksUri, respond }: TestIssuer["Service"]): Endpoints.TrustedIssuer => ({
    issuer,
    keys: async () => (await run(respond(new Request(jwksUri)))).json()
  })

/** Creates the documents and the endpoints of the issuer. */
export const make = (settings: Settings) => {
  const { clients, issuer, keys, minter } = settings
  const url = new URL(issuer)
  const prefix = url.pathname.replace(/\/$/, "")
  const base = `${url.origin}${prefix}`
  const urls = {
    jwksUri: settings.jwksUri ?? `${base}/jwks`,
    tokenEndpoint: `${base}/token`,
    introspectionEndpoint: `${base}/introspect`,
    revocationEndpoint: `${base}/revoke`
  }
  const signIn = settings.signIn === undefined
    ? undefined
    : SignIn.make({ mode: settings.signIn, issuer, base, clients })
  const lifetime = settings.tokenLifetime ?? "5 minutes"
  const seconds = Duration.toSeconds(Duration.fromInputUnsafe(lifetime))
  const assertions = new Set<string>()
  let metadata: Readonly<Record<string, unknown>> = defined({
    issuer,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: urls.tokenEndpoint,
    jwks_uri: urls.jwksUri,
    introspection_endpoint: urls.introspectionEndpoint,
    introspection_endpoint_auth_methods_supported: authentication,
    revocation_endpoint: urls.revocationEndpoint,
    token_endpoint_auth_methods_supported: signIn === undefined ? authentication : ["none", ...authentication],
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
    ...signIn?.metadata,
    ...grantMembers(settings),
    ...settings.metadata
  })
  let publishedKeys: ReadonlyArray<unknown> | undefined
  let introspection: Readonly<Record<string, unknown>> = {}
  let nonce: string | undefined

  const toDocument = (body: unknown) =>
    Response.json(
      body,
      settings.cacheControl === undefined ? {} : { headers: { "cache-control": settings.cacheControl } }
    )

  const isMetadata = (path: string) =>
    path === `/.well-known/oauth-authorization-server${prefix}` ||
    path === `/.well-known/openid-configuration${prefix}` ||
    path === `${prefix}/.well-known/openid-configuration`

  const isAuthorization = (target: string) => {
    const { origin, pathname } = new URL(target)
    return `${origin}${pathname}` === `${base}/authorize`
  }

  const serveEndpoint = (request: Endpoints.EndpointRequest): Effect.Effect<Response> =>
    Effect.gen(function*() {
      const run = Effect.runPromiseWith(yield* Effect.context<never>())
      const state: Endpoints.IssuerState = {
        issuer,
        resource: settings.resource,
        clients,
        issued: minter.issued,
        assertions,
        identityProviders: settings.identityProviders.map(trusted(run)),
        workloadIssuers: settings.workloadIssuers.map(trusted(run)),
        now: yield* minter.now
      }
      switch (new URL(request.url).href) {
        case urls.introspectionEndpoint:
          return yield* Effect.promise(() =>
            Endpoints.introspect(
              request,
              state,
              (claims) => ({ ...claims, ...introspection }),
              (header, claims) =>
                run(minter.sign({ ...header, alg: settings.algorithm, kid: keys.getCurrent().kid }, claims))
            )
          )
        case urls.revocationEndpoint:
          return yield* Effect.promise(() => Endpoints.revoke(request, state))
        case urls.tokenEndpoint:
          return yield* Effect.promise(() =>
            token(request, state, nonce, {
              accessToken: ({ audience, jkt, ...grant }) =>
                run(Effect.map(
                  minter.mint({
                    ...grant,
                    audience: audience?.length === 1 ? audience[0] : audience,
                    boundTo: jkt,
                    expiresIn: lifetime
                  }),
                  (token) => ({ token, expiresIn: seconds })
                )),
              idJag: (grant) => run(Effect.map(minter.mintIdJag(grant), (token) => ({ token, expiresIn: 300 })))
            }, signIn)
          )
        case `${base}/register`:
          return signIn?.register(request) ?? new Response("", { status: 404 })
        default:
          return signIn !== undefined && isAuthorization(request.url)
            ? signIn.authorize(request)
            : new Response("", { status: 404 })
      }
    })

  const serve = (request: Endpoints.EndpointRequest): Effect.Effect<Response> => {
    const target = new URL(request.url)
    if (target.href === urls.jwksUri) {
      const own = keys.getAll().map((key) => defined({ ...key.publicJwk, ...settings.jwk }))
      return Effect.succeed(toDocument({ keys: publishedKeys ?? own }))
    }
    if (target.origin !== url.origin) {
      return Effect.sync(() => settings.elsewhere?.(target) ?? new Response("", { status: 404 }))
    }
    return isMetadata(target.pathname) ? Effect.succeed(toDocument(metadata)) : serveEndpoint(request)
  }

  return {
    urls,
    serve,
    publishKeys: (next: ReadonlyArray<unknown> | undefined) =>
      Effect.sync(() => {
        publishedKeys = next
      }),
    publishMetadata: (members: Readonly<Record<string, unknown>>) =>
      Effect.sync(() => {
        metadata = defined({ ...metadata, ...members })
      }),
    publishIntrospection: (members: Readonly<Record<string, unknown>>) =>
      Effect.sync(() => {
        introspection = { ...introspection, ...members }
      }),
    requireDpopNonce: (next: string | undefined) =>
      Effect.sync(() => {
        nonce = next
      })
  }
}
