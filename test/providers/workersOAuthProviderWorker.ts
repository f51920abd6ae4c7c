/**
 * A Worker that is an authorization server, with workers-oauth-provider. `workersOAuthProvider.ts` bundles and starts it. Alice
 * is signed in to every browser, and consents to every request.
 */
import { OAuthAuthorizationServer } from "@cloudflare/workers-oauth-provider"

/** The settings, which `workersOAuthProvider.ts` writes before this program. */
declare const SETTINGS: {
  readonly issuer: string
  readonly resources: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
}

const server = new OAuthAuthorizationServer<never>({
  issuer: SETTINGS.issuer,
  resources: SETTINGS.resources,
  scopesSupported: [...SETTINGS.scopes],
  clientRegistrationEndpoint: "/register"
})

const now = Date.now.bind(Date)

export default {
  async fetch(request: Request, env: never, context: never): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === "/authorize") {
      const oauth = server.getOAuthApi(env)
      const parsed = await oauth.parseAuthRequest(request)
      const { redirectTo } = await oauth.completeAuthorization({
        request: parsed,
        userId: "alice",
        metadata: {},
        scope: parsed.scope,
        props: {}
      })
      return Response.redirect(redirectTo, 302)
    }
    // Other Workers call `validateToken` through a service binding. The tests, which are no Worker, call it at this path.
    if (pathname === "/validate") {
      const { resource, token } = await request.json() as { readonly resource: string; readonly token: string }
      return Response.json(await server.validateToken(resource, token, env))
    }
    // Moves the clock of the Worker by a number of milliseconds.
    if (pathname === "/clock") {
      const offset = Number(await request.text())
      Date.now = () => now() + offset
      return new Response()
    }
    return server.fetch(request, env, context)
  }
}
