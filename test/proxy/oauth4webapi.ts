/** A client that is written with oauth4webapi, which checks what an authorization server answers. */
import * as oauth from "oauth4webapi"
import { redirectUri } from "../providers/officialClients.ts"
import { makePerson } from "./server.ts"

/** Registers a client of oauth4webapi, which signs in with a new browser each time. */
export const register = async ({ origin, resource }: { readonly origin: string; readonly resource: string }) => {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(origin)
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure })
  )
  const registered = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(server, { redirect_uris: [redirectUri] }, insecure)
  )
  const client: oauth.Client = { client_id: registered.client_id }
  const signIn = async (scope?: string) => {
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const url = new URL(server.authorization_endpoint!)
    url.search = String(
      new URLSearchParams({
        response_type: "code",
        client_id: client.client_id,
        redirect_uri: redirectUri,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        resource,
        ...(scope === undefined ? {} : { scope })
      })
    )
    const parameters = oauth.validateAuthResponse(server, client, await makePerson()(url), state)
    return oauth.processAuthorizationCodeResponse(
      server,
      client,
      await oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        parameters,
        redirectUri,
        verifier,
        insecure
      )
    )
  }
  const refresh = (token: string) => oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, insecure)
  /** Calls a tool, and returns the status and the response. */
  const callTool = async (token: string, name: string) => {
    const response = await oauth.protectedResourceRequest(
      token,
      "POST",
      new URL(resource),
      new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" }),
      JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } }),
      insecure
    ).catch((error: unknown) => {
      // The library reports a challenge as an error.
      if (error instanceof oauth.WWWAuthenticateChallengeError) return error.response
      throw error
    })
    return { status: response.status, text: await response.text() }
  }
  return { callTool, client, insecure, refresh, server, signIn }
}
