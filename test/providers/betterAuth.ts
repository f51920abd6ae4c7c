/** Starts `better-auth` with its OAuth provider on a free port, with a database in memory. */
import { oauthProvider, oauthProviderAuthServerMetadata } from "@better-auth/oauth-provider"
import { betterAuth, type BetterAuthOptions } from "better-auth"
import { getMigrations } from "better-auth/db/migration"
import { toNodeHandler } from "better-auth/node"
import { jwt } from "better-auth/plugins"
import { Effect, Redacted, type Scope } from "effect"
import { createServer, type Server } from "node:http"
import { DatabaseSync } from "node:sqlite"

export interface BetterAuth {
  readonly issuer: string
  /** A client that can request tokens for the resource and introspect them. */
  readonly client: { readonly clientId: string; readonly clientSecret: Redacted.Redacted }
  /** Requests a token with client credentials. Without a resource, the token is opaque. */
  readonly token: (options: { readonly scope: string; readonly resource?: string }) => Effect.Effect<string>
  /** Signs alice in, consents, and returns the URL of the redirect to the client. */
  readonly authorize: (authorizationUrl: string) => Promise<URL>
}

export interface Options {
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  readonly algorithm: "EdDSA" | "ES256" | "RS256" | "PS256"
  /** In seconds. Default: one hour. */
  readonly accessTokenLifetime?: number
  /** Whether clients can register themselves, and get refresh tokens. Default: `false`. */
  readonly isOpen?: boolean
}

/**
 * The functions that the plugins add to the API. The types of better-auth contain them only if its options are literals in the
 * call.
 */
interface Api {
  readonly signUpEmail: (request: object) => Promise<{ readonly headers: Headers }>
  readonly adminCreateOAuthClient: (
    request: object
  ) => Promise<{ readonly client_id: string; readonly client_secret: string }>
  readonly adminLinkClientResource: (request: object) => Promise<unknown>
  readonly getOAuthServerConfig: () => unknown
}

const listen = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const server = createServer()
    server.listen(0, "localhost", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

export const make = (options: Options): Effect.Effect<BetterAuth, never, Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* listen
    const origin = `http://localhost:${(server.address() as { readonly port: number }).port}`
    const { accessTokenLifetime = 3_600, algorithm, isOpen = false, resource } = options
    const settings = {
      baseURL: origin,
      secret: "loopback-test-only-loopback-test-only",
      database: new DatabaseSync(":memory:"),
      telemetry: { enabled: false },
      emailAndPassword: { enabled: true },
      disabledPaths: ["/token"],
      rateLimit: { enabled: false },
      plugins: [
        jwt({ jwks: { keyPairConfig: { alg: algorithm } } }),
        oauthProvider({
          loginPage: "/sign-in",
          consentPage: "/consent",
          scopes: ["openid", ...isOpen ? ["offline_access"] : [], ...options.scopes],
          accessTokenExpiresIn: accessTokenLifetime,
          allowDynamicClientRegistration: isOpen,
          allowUnauthenticatedClientRegistration: isOpen,
          resources: [resource],
          enforcePerClientResources: false,
          resourcePrivileges: () => true,
          clientPrivileges: () => true,
          silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true }
        })
      ]
    } as unknown as BetterAuthOptions
    const auth = yield* Effect.promise(async () => {
      await (await getMigrations(settings)).runMigrations()
      return betterAuth(settings)
    })
    const api = auth.api as unknown as Api
    /** Signs a person up, and returns the cookies of the browser. */
    const signUp = async (name: string): Promise<string> => {
      const { headers } = await api.signUpEmail({
        body: { email: `${name}@example.com`, password: "loopback-test-only", name },
        returnHeaders: true
      })
      return headers.getSetCookie().map((_) => _.split(";")[0]).join("; ")
    }
    const client = yield* Effect.promise(async () => {
      const headers = new Headers({ cookie: await signUp("admin") })
      const made = await api.adminCreateOAuthClient({
        headers,
        body: {
          client_name: "service",
          token_endpoint_auth_method: "client_secret_basic",
          grant_types: ["client_credentials"],
          client_credentials_scopes: [...options.scopes],
          application_type: "native"
        }
      })
      await api.adminLinkClientResource({
        headers,
        params: { identifier: resource, client_id: made.client_id }
      })
      return { clientId: made.client_id, clientSecret: made.client_secret }
    })

    const handler = toNodeHandler(auth)
    const metadata = oauthProviderAuthServerMetadata({ api })
    server.on("request", (request, response) => {
      if (request.url !== "/.well-known/oauth-authorization-server/api/auth") return void handler(request, response)
      void metadata(new Request(origin + request.url)).then(async (document) => {
        response.writeHead(document.status, Object.fromEntries(document.headers))
        response.end(await document.text())
      })
    })

    let alice: Promise<string> | undefined

    return {
      issuer: `${origin}/api/auth`,
      authorize: async (authorizationUrl) => {
        const cookie = await (alice ??= signUp("alice"))
        const response = await fetch(authorizationUrl, { headers: { cookie } })
        // The server redirects a browser, and returns the URL to `fetch`.
        const page = new URL((await response.json()).url, origin)
        if (page.pathname !== "/consent") return page
        const consented = await fetch(`${origin}/api/auth/oauth2/consent`, {
          method: "POST",
          headers: { cookie, origin, "content-type": "application/json" },
          body: JSON.stringify({ accept: true, oauth_query: page.search.slice(1) })
        })
        const body = await consented.json()
        if (consented.status !== 200) throw new Error(JSON.stringify(body))
        return new URL(body.redirect_uri ?? body.url)
      },
      client: { clientId: client.clientId, clientSecret: Redacted.make(client.clientSecret) },
      token: (form) =>
        Effect.promise(async () => {
          const response = await fetch(`${origin}/api/auth/oauth2/token`, {
            method: "POST",
            headers: { authorization: `Basic ${btoa(`${client.clientId}:${client.clientSecret}`)}` },
            body: new URLSearchParams({ grant_type: "client_credentials", ...form })
          })
          const body = await response.json()
          if (response.status !== 200) throw new Error(JSON.stringify(body))
          return body.access_token
        })
    }
  })
