import { assert, describe, it } from "@effect/vitest"
import { Client, DpopSession, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { Dpop } from "effect-mcp-auth/dpop"
import { Introspection } from "effect-mcp-auth/introspection"
import { decodeJwt } from "jose"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"
import { OAuthClient } from "../../examples/todo-manager/demo/OAuthClient.ts"
import * as TodoManager from "./todoManager.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"]

/** The official client of a person, with a key of its own. */
class BoundClient extends OAuthClient {
  readonly #session = DpopSession.create()

  dpop() {
    return this.#session
  }
}

const connection = (url: string, oauth: BoundClient) => {
  const sent: Array<Headers> = []
  const answers: Array<Response> = []
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    authProvider: oauth as never,
    fetch: async (input, init) => {
      sent.push(new Headers(init?.headers))
      const response = await fetch(input, init)
      answers.push(response)
      return response
    }
  })
  return { sent, answers, client, transport }
}

const rejectedWith = (promise: Promise<unknown>) =>
  promise.then(() => "nothing", (error: unknown) => (error as Error).constructor.name)

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

describe("DPoP, with oidc-provider and the official client", () => {
  it.live.each(modes)(
    "$title: signs in, calls tools, and steps up",
    ({ accessTokenFormat, dpop, nonce }) =>
      Effect.gen(function*() {
        const place = yield* TodoManager.reserve
        const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat })
        yield* TodoManager.serve(place, {
          dpop,
          authorizationServers: [
            accessTokenFormat === "jwt" ? issuer : { issuer, introspection: Introspection.make(service) }
          ]
        }, TodoManager.stepwise)
        const token = yield* Effect.promise(async () => {
          const oauth = new BoundClient(new UserAgent({ username: "alice" }))
          const first = connection(place.resource, oauth)
          assert.strictEqual(await rejectedWith(first.client.connect(first.transport)), "UnauthorizedError")
          await first.transport.finishAuth(oauth.takeAnswer())
          await first.client.close()
          assert.strictEqual(oauth.tokens()?.token_type, "DPoP")
          if (accessTokenFormat === "jwt") {
            const { cnf } = decodeJwt(oauth.tokens()!.access_token)
            assert.deepStrictEqual(cnf, { jkt: (await oauth.dpop()).thumbprint })
          }

          const { answers, client, sent, transport } = connection(place.resource, oauth)
          await client.connect(transport)
          const { structuredContent } = await client.callTool({ name: "create_todo", arguments: { title: "milk" } })
          const { id, title } = structuredContent as { readonly id: number; readonly title: string }
          assert.strictEqual(title, "milk")
          for (const headers of sent) {
            assert.match(headers.get("authorization")!, /^DPoP /)
            assert.isString(headers.get("dpop"))
          }
          // One nonce serves until it ends.
          assert.strictEqual(answers.filter(({ status }) => status === 401).length, nonce ? 1 : 0)

          const remove = () => client.callTool({ name: "delete_todo", arguments: { id } })
          assert.strictEqual(await rejectedWith(remove()), "UnauthorizedError")
          await transport.finishAuth(oauth.takeAnswer())
          assert.isNotTrue((await remove()).isError)
          await client.close()
          return oauth.tokens()!.access_token
        })
        // Without the key the token is worth nothing.
        for (const scheme of ["Bearer", "DPoP"]) {
          const headers = { authorization: `${scheme} ${token}`, "content-type": "application/json" }
          const stolen = yield* Effect.promise(() => fetch(place.resource, { method: "POST", headers, body: "{}" }))
          assert.strictEqual(stolen.status, 401)
        }
      })
  )
})
