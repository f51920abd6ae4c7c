import { assert, describe, it } from "@effect/vitest"
import { Client, DpopSession, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { Dpop } from "effect-mcp-auth/dpop"
import { Introspection } from "effect-mcp-auth/introspection"
import { decodeJwt } from "jose"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { PersonProvider } from "./officialClients.ts"
import * as TodoManager from "./todoManager.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"]

/** Keeps the state of the official client in memory, including a DPoP key. */
class BoundClient extends PersonProvider {
  readonly #session = DpopSession.create()

  dpop() {
    return this.#session
  }
}

const makeConnection = (url: string, oauth: BoundClient) => {
  const sent: Array<Headers> = []
  const responses: Array<Response> = []
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    authProvider: oauth as never,
    fetch: async (input, init) => {
      sent.push(new Headers(init?.headers))
      const response = await fetch(input, init)
      responses.push(response)
      return response
    }
  })
  return { sent, responses, client, transport }
}

const getErrorName = (promise: Promise<unknown>) =>
  promise.then(() => "no error", (error: unknown) => (error as Error).constructor.name)

const modes: ReadonlyArray<{
  readonly title: string
  readonly dpop: Dpop.Dpop
  readonly nonce?: true
  readonly accessTokenFormat: "jwt" | "opaque"
}> = [
  { title: "optional", dpop: Dpop.optional(), accessTokenFormat: "jwt" },
  {
    title: "optional, with a nonce",
    dpop: Dpop.optional({ nonce: "required" }),
    nonce: true,
    accessTokenFormat: "jwt"
  },
  {
    title: "required, with a nonce",
    dpop: Dpop.required({ nonce: "required" }),
    nonce: true,
    accessTokenFormat: "jwt"
  },
  { title: "required, opaque tokens", dpop: Dpop.required(), accessTokenFormat: "opaque" }
]

describe("the official client with DPoP and oidc-provider", () => {
  it.live.each(modes)(
    "signs in, calls tools, and steps up if DPoP is $title",
    ({ accessTokenFormat, dpop, nonce }) =>
      Effect.gen(function*() {
        const reserved = yield* TodoManager.reserve
        const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat })
        yield* TodoManager.serve(reserved, {
          dpop,
          authorizationServers: [
            accessTokenFormat === "jwt" ? issuer : { issuer, introspection: Introspection.make(service) }
          ]
        }, TodoManager.stepwise)
        const token = yield* Effect.promise(async () => {
          const oauth = new BoundClient()
          const first = makeConnection(reserved.resource, oauth)
          assert.strictEqual(await getErrorName(first.client.connect(first.transport)), "UnauthorizedError")
          await first.transport.finishAuth(oauth.takeAnswer())
          await first.client.close()
          assert.strictEqual(oauth.tokens()?.token_type, "DPoP")
          if (accessTokenFormat === "jwt") {
            const { cnf } = decodeJwt(oauth.tokens()!.access_token)
            assert.deepStrictEqual(cnf, { jkt: (await oauth.dpop()).thumbprint })
          }

          const { client, responses, sent, transport } = makeConnection(reserved.resource, oauth)
          await client.connect(transport)
          const { structuredContent } = await client.callTool({ name: "create_todo", arguments: { title: "milk" } })
          const { id, title } = structuredContent as { readonly id: number; readonly title: string }
          assert.strictEqual(title, "milk")
          for (const headers of sent) {
            assert.match(headers.get("authorization")!, /^DPoP /)
            assert.isString(headers.get("dpop"))
          }
          // If the server requires a nonce, it rejects only the first request. That rejection contains a nonce, which the
          // client uses for all further requests.
          assert.strictEqual(responses.filter(({ status }) => status === 401).length, nonce ? 1 : 0)

          const remove = () => client.callTool({ name: "delete_todo", arguments: { id } })
          assert.strictEqual(await getErrorName(remove()), "UnauthorizedError")
          await transport.finishAuth(oauth.takeAnswer())
          assert.isNotTrue((await remove()).isError)
          await client.close()
          return oauth.tokens()!.access_token
        })
        // The token is rejected without a proof of its key.
        for (const scheme of ["Bearer", "DPoP"]) {
          const headers = { authorization: `${scheme} ${token}`, "content-type": "application/json" }
          const stolen = yield* Effect.promise(() => fetch(reserved.resource, { method: "POST", headers, body: "{}" }))
          assert.strictEqual(stolen.status, 401)
        }
      })
  )
})
