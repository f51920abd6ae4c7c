/**
 * Tests the content of two scenarios for servers that are not released yet: the audience of tokens, and DPoP (RFC 9449). Every
 * rejected request differs from an accepted one in one part only.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { DpopClient, type TestIssuer } from "effect-mcp-auth/testing"
import { call } from "../servers/hosts/cases.ts"
import { type Answer, makeIssuer, optionsOf, resource, type Running } from "../servers/hosts/Host.ts"
import { hosts } from "../servers/hosts/hosts.ts"

interface Bench {
  readonly running: Running
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly client: DpopClient.DpopClient
  readonly token: string
}

type Lines = ReadonlyArray<readonly [string, string]>

const foreignAudience = "https://not-this-server.example.com/mcp"

const bearer = async ({ issuer }: Bench, audience: string): Promise<Lines> => [
  ["authorization", `Bearer ${await Effect.runPromise(issuer.mint({ audience, scopes: ["todos:read"] }))}`]
]

const toLines = (token: string, ...proofs: ReadonlyArray<string>): Lines => [
  ["authorization", `DPoP ${token}`],
  ...proofs.map((proof) => ["dpop", proof] as const)
]

const prove = ({ client, token }: Bench, changes: Partial<DpopClient.ProofOptions> = {}) =>
  Effect.runPromise(client.proof({ method: "POST", url: resource, token, ...changes }))

const withClaim = (claims: Readonly<Record<string, unknown>>) => async (bench: Bench) =>
  toLines(bench.token, await prove(bench, { claims }))

const withHeader = (header: Readonly<Record<string, unknown>>) => async (bench: Bench) =>
  toLines(bench.token, await prove(bench, { header }))

const withIat = (seconds: number) => (bench: Bench) =>
  withClaim({ iat: Math.floor(Date.now() / 1000) + seconds })(bench)

const rejected: ReadonlyArray<readonly [title: string, lines: (bench: Bench) => Promise<Lines>]> = [
  ["a token for another server", (bench) => bearer(bench, foreignAudience)],
  ["a bound token for another server, with a valid proof", async (bench) => {
    const token = await Effect.runPromise(
      bench.issuer.mint({ audience: foreignAudience, scopes: ["todos:read"], boundTo: bench.client.thumbprint })
    )
    return toLines(token, await prove({ ...bench, token }))
  }],
  ["a bound token of another key", async (bench) => {
    const other = await Effect.runPromise(DpopClient.make())
    const token = await Effect.runPromise(bench.issuer.mint({ scopes: ["todos:read"], boundTo: other.thumbprint }))
    return toLines(token, await prove({ ...bench, token }))
  }],
  [
    "a bound token as Bearer",
    async (bench) => [["authorization", `Bearer ${bench.token}`], ["dpop", await prove(bench)]]
  ],
  ["a changed signature", async (bench) => {
    const [header, claims, signature] = (await prove(bench)).split(".") as [string, string, string]
    const bytes = Buffer.from(signature, "base64url")
    bytes[0]! ^= 1
    return toLines(bench.token, `${header}.${claims}.${bytes.toString("base64url")}`)
  }],
  ["no signature", async (bench) => {
    const [, claims] = (await prove(bench)).split(".") as [string, string]
    const header = { typ: "dpop+jwt", alg: "none", jwk: bench.client.publicJwk }
    return toLines(bench.token, `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${claims}.`)
  }],
  ["a symmetric algorithm", withHeader({ alg: "HS256" })],
  ["another typ", withHeader({ typ: "jwt" })],
  ["no jwk", withHeader({ jwk: undefined })],
  ["a private key in jwk", async (bench) => withHeader({ jwk: { ...bench.client.publicJwk, d: "AAAA" } })(bench)],
  ["no jti", withClaim({ jti: undefined })],
  ["no htm", withClaim({ htm: undefined })],
  ["no htu", withClaim({ htu: undefined })],
  ["no iat", withClaim({ iat: undefined })],
  ["no ath", withClaim({ ath: undefined })],
  ["another ath", withClaim({ ath: "not-the-right-hash" })],
  ["another method", withClaim({ htm: "GET" })],
  ["another URL", withClaim({ htu: "https://wrong.example.com/mcp" })],
  ["an iat 303 seconds ago", withIat(-303)],
  ["an iat in 303 seconds", withIat(303)],
  ["two proofs", async (bench) => toLines(bench.token, await prove(bench), await prove(bench))],
  ["a proof that is not a JWT", async ({ token }) => toLines(token, "this-is-not-a-jwt")]
]

/** A rejection is 401 with a challenge, and not any other status. */
const assertRejected = ({ headers, status }: Answer) => {
  assert.strictEqual(status, 401)
  assert.match(
    headers["www-authenticate"] ?? "",
    /(?:^|, )(?:Bearer|DPoP) [^,]*error="(?:invalid_token|invalid_dpop_proof)"/
  )
}

describe.each(hosts)("$name", (host) => {
  let bench: Bench
  beforeAll(async () => {
    const { client: http, issuer } = await makeIssuer()
    const running = await host.start(optionsOf(issuer.issuer, { dpop: { mode: "optional" } }), http)
    const client = await Effect.runPromise(DpopClient.make())
    const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint }))
    bench = { running, issuer, client, token }
  })
  afterAll(() => bench.running.stop())

  it("accepts a token for this server, and a bound token with a valid proof", async () => {
    for (const lines of [await bearer(bench, resource), toLines(bench.token, await prove(bench))]) {
      assert.strictEqual((await bench.running.send(call(lines, "list_todos"))).status, 200)
    }
    assert.lengthOf(await bench.running.ran(), 2)
  })

  it.each(rejected)("rejects %s", async (_title, lines) => {
    assertRejected(await bench.running.send(call(await lines(bench), "list_todos")))
    assert.deepStrictEqual(await bench.running.ran(), [])
  })
})
