/** The client under test: an application that calls the tools of an MCP server for people. */
import { Effect } from "effect"
import { Connections } from "effect-mcp-auth/sign-in"

export interface Options {
  readonly resource: string
  readonly issuer: string
  readonly fetch: typeof globalThis.fetch
}

export const make = Effect.fnUntraced(function*({ fetch, issuer, resource }: Options) {
  const connections = yield* Connections.make({
    client: { name: "Agent" },
    redirectUri: "https://agent.example.com/callback",
    allowIssuers: [issuer],
    fetch
  })
  return {
    /** Calls a tool, and returns the status. Fails with `SignInRequired` if the person must sign in first. */
    callTool: (account: string, name: string) =>
      Effect.tryPromise({
        try: async () => {
          const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } }
          const send = connections.fetch({ account, resource })
          return (await send(resource, { method: "POST", body: JSON.stringify(message) })).status
        },
        catch: (error) => error as { readonly _tag: string; readonly url: string }
      }),
    /** Handles a request to the redirect URI. */
    callback: (account: string, url: string) => connections.complete({ url }, { account })
  }
})
