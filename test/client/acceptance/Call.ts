/** A process that calls a tool for an account, with the token of a store. Prints whether it failed, and the number of refreshes. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { Connections } from "effect-mcp-auth/sign-in"
import { stores } from "../../store/records/ProcessStores.ts"

const [kind = "", place = "", issuer = "", resource = "", account = ""] = process.argv.slice(2)

let refreshes = 0

const main = Effect.gen(function*() {
  const connections = yield* Connections.make({
    client: { name: "Acceptance" },
    redirectUri: "http://127.0.0.1:9/callback",
    allowIssuers: [issuer],
    fetch: (input, init) => {
      if (new URLSearchParams(String(init?.body ?? "")).get("grant_type") === "refresh_token") refreshes++
      return fetch(input, init)
    }
  })
  const connected = connections.fetch({ account, resource })
  const client = new Client({ name: "acceptance", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  yield* Effect.promise(() =>
    client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: connected }))
  )
  const { isError = false } = yield* Effect.promise(() => client.callTool({ name: "list_todos", arguments: {} }))
  return { isError, refreshes }
})

const store = await stores[kind]!(place)
console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(Effect.provide(main, store)))))
process.exit()
