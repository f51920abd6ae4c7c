/** Assertions are grants or credentials for authorization servers. No host accepts one as an access token. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { bearer, call } from "./cases.ts"
import * as Functions from "./functions.ts"
import { optionsOf, resource, type Running } from "./Host.ts"
import { hosts } from "./hosts.ts"

const { runPromise } = Effect

/** The authorization server of the MCP server, an identity provider that it trusts, and the key of a client. */
const makeParties = async () => {
  const key = await runPromise(SigningKey.make({ kid: "todo-client" }))
  const { issuer: provider } = await runPromise(
    TestIssuer.make({ issuer: "https://idp.test", clients: { sso: { secret: "sso-secret" } } })
  )
  const { client, issuer } = await runPromise(TestIssuer.make({
    resource,
    identityProviders: [provider],
    clients: { sso: { secret: "todo-secret" }, "todo-client": { jwks: { keys: [key.publicJwk] } } }
  }))
  return { client, issuer, key, provider }
}

type Parties = Awaited<ReturnType<typeof makeParties>>

/** Requests a token from an issuer. */
const tokenOf = async (issuer: Parties["issuer"], form: Record<string, string>, credentials?: string) => {
  const response = await runPromise(issuer.respond(
    new Request(issuer.tokenEndpoint, {
      method: "POST",
      headers: credentials === undefined ? {} : { authorization: `Basic ${btoa(credentials)}` },
      body: new URLSearchParams(form)
    })
  ))
  const { access_token, error } = await response.json()
  assert.isUndefined(error)
  return access_token as string
}

const assertionOf = ({ issuer, key }: Parties) => {
  const now = Math.floor(Date.now() / 1000)
  return runPromise(key.sign({ typ: "JWT" }, {
    iss: "todo-client",
    sub: "todo-client",
    aud: issuer.issuer,
    jti: crypto.randomUUID(),
    iat: now,
    exp: now + 60
  }))
}

const idJagOf = async ({ issuer, provider }: Parties) =>
  tokenOf(provider, {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
    subject_token: await runPromise(provider.mintIdToken({ subject: "alice", clientId: "sso" })),
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
    audience: issuer.issuer,
    resource,
    scope: "todos:read"
  }, "sso:sso-secret")

const rejected: ReadonlyArray<readonly [string, (parties: Parties) => Promise<string>, string]> = [
  ["an ID-JAG of the identity provider", idJagOf, "unknown-issuer"],
  [
    "an ID-JAG of the server's authorization server, also one for the MCP server",
    ({ issuer }) => runPromise(issuer.mintIdJag({ audience: resource, scopes: ["todos:read"] })),
    "token-type"
  ],
  [
    "an ID token of the identity provider",
    ({ provider }) => runPromise(provider.mintIdToken({ clientId: resource })),
    "unknown-issuer"
  ],
  [
    "an ID token of the server's authorization server, also one for the MCP server",
    ({ issuer }) => runPromise(issuer.mintIdToken({ clientId: resource })),
    "token-type"
  ],
  [
    "an ID token with a nonce of the server's authorization server",
    ({ issuer }) => runPromise(issuer.mintIdToken({ clientId: resource, claims: { nonce: "n-0S6_WzA2Mj" } })),
    "id-token"
  ],
  ["the assertion with which a client authenticates", assertionOf, "unknown-issuer"]
]

const admitted: ReadonlyArray<readonly [string, (parties: Parties) => Promise<string>, string]> = [
  ["an ID-JAG", async (parties) =>
    tokenOf(parties.issuer, {
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: await idJagOf(parties)
    }, "sso:todo-secret"), "alice"],
  [
    "a client secret",
    ({ issuer }) => tokenOf(issuer, { grant_type: "client_credentials", scope: "todos:read" }, "sso:todo-secret"),
    "sso"
  ],
  ["a signed assertion of a client", async (parties) =>
    tokenOf(parties.issuer, {
      grant_type: "client_credentials",
      scope: "todos:read",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: await assertionOf(parties)
    }), "todo-client"]
]

describe.each(hosts)("$name", (host) => {
  let parties: Parties
  let running: Running
  beforeAll(async () => {
    parties = await makeParties()
    running = await host.start(
      optionsOf(parties.issuer.issuer, {}),
      parties.client,
      Functions.make("a list of decisions")
    )
  })
  afterAll(() => running.stop())

  it.each(rejected)("rejects %s", async (_, mint, reason) => {
    await running.decisions()
    const { headers, status } = await running.send(call(bearer(await mint(parties)), "list_todos"))
    assert.deepStrictEqual([status, await running.ran()], [401, []])
    assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
    assert.deepStrictEqual((await running.decisions()).map((decision) => decision.reason), [reason])
  })

  it.each(admitted)("admits the access token that the authorization server issues for %s", async (_, mint, subject) => {
    await running.decisions()
    const { body, status } = await running.send(call(bearer(await mint(parties)), "list_todos"))
    assert.strictEqual(status, 200, body)
    assert.lengthOf(await running.ran(), 1)
    const [decision] = await running.decisions()
    assert.deepStrictEqual([decision!.reason, decision!.subject], [undefined, subject])
  })
})
