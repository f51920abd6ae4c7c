import { Effect } from "effect"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { TestBrowser } from "effect-mcp-auth/testing"

/* Signs a person in at the authorization servers of the suite, which ask nothing and redirect at once. */

const redirectUri = "http://localhost:13316/callback"

const browser = TestBrowser.make()

const redirect: AuthorizationCode.Redirect = {
  redirectUris: [redirectUri],
  listen: Effect.succeed({
    redirectUri,
    open: (url, complete) => Effect.flatMap(Effect.orDie(browser.signIn(url)), (callback) => complete(callback))
  })
}

/** Returns the issuer that the metadata of an MCP server name. The suite does not supply it, because it runs on a free port. */
export const issuerOf = async (resource: string): Promise<string> => {
  const { origin, pathname } = new URL(resource)
  const response = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`)
  const { authorization_servers: [issuer] } = await response.json()
  return issuer
}

/** Creates the grant of a person. `options` replace those of most scenarios. */
export const grant = (options: Pick<AuthorizationCode.Options, "allowIssuers" | "legacy"> = {}) =>
  AuthorizationCode.grant({
    // The URL that the suite accepts as a client id.
    client: { name: "effect-mcp-auth", metadataUrl: "https://conformance-test.local/client-metadata.json" },
    redirect,
    store: MemoryStore.make(),
    ...options
  })
