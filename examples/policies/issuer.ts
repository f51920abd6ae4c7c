/** An authorization server for experiments. Its keys and tokens are real. The secrets of its clients are in this file. */
import { TestIssuer } from "effect-mcp-auth/testing"
import type { RequestListener } from "node:http"

/** A caller with fixed scopes and roles. The client signs in with a secret, because a script has no browser. */
const caller = (secret: string, scope: string, ...roles: ReadonlyArray<string>) => ({
  secret,
  claims: { scope, roles }
})

/** Returns the listener of the authorization server with this URL. */
export const makeIssuer = async (url: string): Promise<RequestListener> => {
  const { listener } = await TestIssuer.start({
    issuer: url,
    clients: {
      alice: caller("alices-secret", "articles:write"),
      bob: caller("bobs-secret", "articles:write"),
      erin: caller("erins-secret", "articles:write", "editor"),
      ada: caller("adas-secret", "articles:write", "admin")
    }
  })
  return listener
}
