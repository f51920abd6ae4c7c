/**
 * The extensions of MCP for authorization, end to end: machine clients, and clients of an organization. Servers name the extensions in
 * their capabilities, and admit the tokens of the official SDKs and of this library.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import {
  Client as ClientV2,
  ClientCredentialsProvider as CredentialsV2,
  CrossAppAccessProvider,
  discoverAndRequestJwtAuthGrant,
  PrivateKeyJwtProvider as KeyV2,
  StreamableHTTPClientTransport as TransportV2
} from "@modelcontextprotocol/client"
import {
  ClientCredentialsProvider as CredentialsV1,
  PrivateKeyJwtProvider as KeyV1
} from "@modelcontextprotocol/sdk/client/auth-extensions.js"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, Layer, Redacted } from "effect"
import { Grant, McpAuthClient } from "effect-mcp-auth/client"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { McpClient, McpProtocol } from "effect/ai"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { makeNotes } from "../../examples/hosts/NotesV2.ts"

const resource = "https://notes.test/mcp"
const { runPromise } = Effect

/** Starts an MCP server, its authorization server and an identity provider, in memory. */
const start = async () => {
  const key = await runPromise(SigningKey.make({ kid: "report" }))
  const { issuer: provider } = await runPromise(TestIssuer.make({
    issuer: "https://idp.test",
    clients: { sso: { secret: "sso-secret", clientIds: { "https://issuer.test": "notes-client" } } }
  }))
  const { issuer } = await runPromise(TestIssuer.make({
    resource,
    identityProviders: [provider],
    clients: {
      report: { secret: "report-secret" },
      "report-with-key": { jwks: { keys: [key.publicJwk] } },
      "notes-client": { secret: "notes-secret" }
    }
  }))
  const toIssuers = await runPromise(issuer.fetch)
  const notes = await makeNotes({ resource, authorizationServers: [issuer.issuer], fetch: toIssuers })
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).origin !== "https://notes.test") return toIssuers(request)
    return await notes.metadata(request) ?? await notes.mcp(request)
  }
  const idToken = () => runPromise(provider.mintIdToken({ subject: "alice", clientId: "sso" }))
  const person = Grant.identityAssertion({
    issuer: issuer.issuer,
    clientId: "notes-client",
    clientSecret: Redacted.make("notes-secret"),
    identityProvider: { issuer: provider.issuer, clientId: "sso", clientSecret: Redacted.make("sso-secret") },
    subjectToken: async () => Redacted.make(await idToken())
  })
  return { fetch, idToken, issuer, key, person, provider }
}

type World = Awaited<ReturnType<typeof start>>

let world: World
beforeAll(async () => {
  world = await start()
})

type Connect = (options: Record<string, unknown>) => Promise<ClientV1 | ClientV2>

const v1: Connect = async (options) => {
  const client = new ClientV1({ name: "report", version: "1.0.0" })
  await client.connect(new TransportV1(new URL(resource), { fetch: world.fetch, ...options }) as never)
  return client
}

const v2: Connect = async (options) => {
  const client = new ClientV2({ name: "report", version: "1.0.0" })
  await client.connect(new TransportV2(new URL(resource), { fetch: world.fetch, ...options }))
  return client
}

/** The providers of SDK v1 request these scopes, whichever scopes the challenge names. */
const scope = "notes:read"

const secret = { clientId: "report", clientSecret: "report-secret", expectedIssuer: "https://issuer.test" }
const signed = () => ({
  clientId: "report-with-key",
  privateKey: { ...world.key.privateJwk } as never,
  algorithm: "ES256",
  expectedIssuer: "https://issuer.test"
})

const crossApp = () =>
  new CrossAppAccessProvider({
    clientId: "notes-client",
    clientSecret: "notes-secret",
    expectedIssuer: "https://issuer.test",
    assertion: async ({ authorizationServerUrl, fetchFn, resourceUrl, scope }) => {
      const { jwtAuthGrant } = await discoverAndRequestJwtAuthGrant({
        idpUrl: world.provider.issuer,
        audience: authorizationServerUrl,
        resource: resourceUrl,
        idToken: await world.idToken(),
        clientId: "sso",
        clientSecret: "sso-secret",
        ...(scope === undefined ? {} : { scope }),
        fetchFn
      })
      return jwtAuthGrant
    },
    fetchFn: world.fetch
  })

const own = async () => {
  const { fetch } = await McpAuthClient.make({ resource, grant: world.person, fetch: world.fetch })
  return { fetch }
}

const clients: ReadonlyArray<
  readonly [string, Connect, () => Record<string, unknown> | Promise<Record<string, unknown>>, string]
> = [
  [
    "SDK v1 with its provider for secrets",
    v1,
    () => ({ authProvider: new CredentialsV1({ ...secret, scope }) }),
    "report"
  ],
  [
    "SDK v1 with its provider for keys",
    v1,
    () => ({ authProvider: new KeyV1({ ...signed(), scope }) }),
    "report-with-key"
  ],
  ["SDK v2 with its provider for secrets", v2, () => ({ authProvider: new CredentialsV2(secret) }), "report"],
  ["SDK v2 with its provider for keys", v2, () => ({ authProvider: new KeyV2(signed()) }), "report-with-key"],
  ["SDK v2 with its provider for cross-app access", v2, () => ({ authProvider: crossApp() }), "alice"],
  ["SDK v1 with an identity assertion of this library", v1, own, "alice"],
  ["SDK v2 with an identity assertion of this library", v2, own, "alice"]
]

const layerOf = (grant: Grant.Grant) => {
  // oxlint-disable-next-line no-restricted-properties -- this client reaches only servers in memory
  const http = HttpClient.make((request) =>
    Effect.map(
      Effect.flatMap(Effect.orDie(HttpClientRequest.toWeb(request)), (web) => Effect.promise(() => world.fetch(web))),
      (response) => HttpClientResponse.fromWeb(request, response)
    )
  )
  return McpClient.layerHttp({
    name: "report",
    version: "1.0.0",
    protocol: McpProtocol.v2026_07_28,
    url: resource
  }).pipe(
    Layer.provide(AuthorizedHttpClient.layer({ resource, grant })),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, http))
  )
}

describe("without a person at the authorization server", () => {
  it.each(clients)(
    "the client of %s signs in, and the server knows its caller",
    async (_, connect, options, caller) => {
      const client = await connect(await options())
      const { content } = await client.callTool({ name: "list_notes", arguments: {} })
      assert.deepStrictEqual(content, [{ type: "text", text: `The notes of ${caller}` }])
      await client.close()
    }
  )

  it.live("the client of Effect with an identity assertion signs in, and obtains another scope for another tool", () =>
    Effect.gen(function*() {
      const Notes = layerOf(world.person)
      const texts = yield* Effect.gen(function*() {
        const client = yield* McpClient.McpClient
        const found = []
        for (const tool of yield* client.listTools()) {
          const { content } = yield* client.callTool({ tool, arguments: {} })
          found.push(content[0]?.type === "text" ? content[0].text : content)
        }
        return found
      }).pipe(Effect.provide(Notes))
      assert.deepStrictEqual(texts, ["The notes of alice", "A note of alice"])
    }))

  it.live("the client of Effect fails with a cause that contains the error of the function that supplies the ID token", () =>
    Effect.gen(function*() {
      const ended = new Error("the session has ended")
      const grant = Grant.identityAssertion({
        issuer: "https://issuer.test",
        clientId: "notes-client",
        clientSecret: Redacted.make("notes-secret"),
        identityProvider: { issuer: "https://idp.test", clientId: "sso", clientSecret: Redacted.make("sso-secret") },
        subjectToken: () => Promise.reject(ended)
      })
      const listed = Effect.flatMap(McpClient.McpClient, (client) => client.listTools())
      const error = AuthorizedHttpClient.clientError(yield* Effect.flip(Effect.provide(listed, layerOf(grant))))
      assert.strictEqual(error?._tag, "AssertionUnavailable")
      assert.strictEqual(error?.cause, ended)
    }))
})
