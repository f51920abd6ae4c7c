/** An MCP server in memory, its authorization server, and a client, all with the test clock. */
import { Effect, Redacted } from "effect"
import { Grant, type McpAuthClient } from "effect-mcp-auth/client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Fetcher } from "effect-mcp-auth/verification"
import { exchange } from "../../src/client/Exchange.ts"
import { makeSession } from "../../src/client/Session.ts"

export const resource = "https://todos.test/mcp"

const metadataPath = "/.well-known/oauth-protected-resource/mcp"

/** A request that the MCP server received. */
export interface Received {
  readonly url: string
  readonly method: string
  readonly authorization: string | null
  readonly headers: Headers
  readonly body: string
}

/** The answer of the MCP server, which a test can replace. `undefined` stands for the usual answer. */
export type Answer = (request: Received) => Response | undefined

/**
 * Creates the servers. The MCP server accepts every token of the authorization server that was not rejected. `options` change the
 * authorization server.
 */
export const serversWith = Effect.fnUntraced(function*(options: TestIssuer.Options) {
  const { issuer } = yield* TestIssuer.make({ resource, elsewhere: () => undefined, ...options })
  const received: Array<Received> = []
  const state = {
    answer: (() => undefined) as Answer,
    /** The metadata of the MCP server. */
    metadata: { resource, authorization_servers: [issuer.issuer], scopes_supported: ["todos:read"] } as unknown,
    /** Answers requests for metadata in place of the MCP server. */
    metadataAnswer: ((_url: URL) => undefined) as (url: URL) => Response | undefined
  }
  const challenge = (more = "") =>
    new Response(null, {
      status: 401,
      headers: { "www-authenticate": `Bearer resource_metadata="https://todos.test${metadataPath}"${more}` }
    })
  const toIssuer = yield* issuer.fetch
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const url = new URL(request.url)
    if (url.origin !== "https://todos.test") return toIssuer(request)
    if (url.pathname.startsWith("/.well-known/")) {
      const answer = state.metadataAnswer(url)
      if (answer !== undefined) return answer
      return url.pathname === metadataPath ? Response.json(state.metadata) : new Response(null, { status: 404 })
    }
    const seen: Received = {
      url: request.url,
      method: request.method,
      authorization: request.headers.get("authorization"),
      headers: request.headers,
      body: await request.text()
    }
    received.push(seen)
    return state.answer(seen) ?? (seen.authorization === null ? challenge() : Response.json({ ok: true }))
  }
  const grant = Grant.clientCredentials({
    issuer: issuer.issuer,
    clientId: issuer.client.clientId,
    clientSecret: Redacted.make(issuer.client.clientSecret)
  })
  /** The forms that the token endpoint received. */
  const tokenRequests = Effect.map(
    issuer.requests,
    (all) => all.filter(({ url }) => url.endsWith("/token")).map(({ body }) => new URLSearchParams(body))
  )
  return { challenge, fetch, grant, issuer, received, state, tokenRequests }
})

export const servers = serversWith({})

export type Servers = Effect.Success<typeof servers>

/** Creates a client with the test clock, and the function that sends a request of it. */
export const clientOf = (
  { fetch, grant }: Pick<Servers, "fetch" | "grant">,
  options: Partial<McpAuthClient.Options> = {}
) =>
  Effect.gen(function*() {
    const { keeper, observe, resource: url } = yield* makeSession({ resource, grant, ...options }).pipe(
      Effect.provideService(Fetcher.Fetcher, Fetcher.make(fetch))
    )
    let discarded = 0
    const send = (to = resource, isRepeatable = true) =>
      observe(exchange(keeper, url, {
        url: to,
        method: "POST",
        isRepeatable,
        send: (added) =>
          Effect.promise(() =>
            fetch(to, {
              method: "POST",
              body: "{}",
              headers: added ?? {}
            })
          ),
        view: ({ headers, status }) => ({
          status,
          dpopNonce: headers.get("dpop-nonce") ?? undefined,
          wwwAuthenticate: headers.get("www-authenticate") ?? undefined,
          location: headers.get("location") ?? undefined
        }),
        discard: () => Effect.sync(() => void discarded++)
      }))
    return { keeper, send, discarded: () => discarded }
  })
