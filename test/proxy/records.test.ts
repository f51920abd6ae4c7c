/** A thief of the store of the proxy, who can read and write its records and does not have the secret. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestUpstream } from "effect-mcp-auth/testing"
import { decodeJwt } from "jose"
import type { RequestListener, Server } from "node:http"
import * as Admit from "../../src/proxy/Admit.ts"
import * as recordKeys from "../../src/proxy/keys/RecordKeys.ts"
import * as OAuthProxy from "../../src/proxy/OAuthProxy.ts"
import * as Upstream from "../../src/proxy/upstream/Upstream.ts"
import { challengeOf, otherSecret, secret, verifier } from "./front/world.ts"
import { close, listen, makePerson } from "./server.ts"

const origin = "http://127.0.0.1:9"
const redirectUri = "http://127.0.0.1/callback"

let server: Server
let upstream: Awaited<ReturnType<typeof TestUpstream.start>>
beforeAll(async () => {
  const listening = await listen()
  server = listening.server
  upstream = await TestUpstream.start({ form: "github", origin: listening.origin })
  server.on("request", upstream.listener as RequestListener)
})
afterAll(() => close(server))

const makeProxy = async (
  store: RecordStore.Store,
  secrets: Parameters<typeof OAuthProxy.make>[0]["secret"] = secret
) => {
  const proxy = await OAuthProxy.make({
    resource: `${origin}/mcp`,
    scopes: ["todos:read"],
    upstream: Upstream.github({
      clientId: upstream.clientId,
      clientSecret: Redacted.make(upstream.clientSecret),
      server: upstream.origin,
      scopes: { "todos:read": [] }
    }),
    admit: Admit.anyone,
    secret: secrets,
    clients: [{ clientId: "inspector", redirectUris: [redirectUri] }],
    store: Layer.succeed(RecordStore.RecordStore, store),
    grants: { livenessCache: "0 seconds" }
  })
  const send = (request: Request) => proxy.fetch(request)!
  const token = async (form: Record<string, string>) => {
    const response = await send(new Request(`${origin}/token`, { method: "POST", body: new URLSearchParams(form) }))
    return { status: response.status, json: await response.json() as Record<string, string> }
  }
  const client_id = "inspector"
  return {
    proxy,
    issue: async () => {
      const query = new URLSearchParams({
        response_type: "code",
        client_id,
        redirect_uri: redirectUri,
        code_challenge: challengeOf(verifier),
        code_challenge_method: "S256"
      })
      const visit = makePerson({
        fetch: (url, init) => String(url).startsWith(origin) ? send(new Request(String(url), init)) : fetch(url, init)
      })
      return (await visit(`${origin}/authorize?${query}`)).searchParams.get("code")!
    },
    redeem: (code: string) =>
      token({ grant_type: "authorization_code", code, client_id, redirect_uri: redirectUri, code_verifier: verifier }),
    refresh: (refresh_token: string) => token({ grant_type: "refresh_token", refresh_token, client_id }),
    call: async (accessToken: string) => {
      const protect = proxy.web.protect(() => new Response("in"))
      const headers = { authorization: `Bearer ${accessToken}`, "content-type": "application/json" }
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
      return (await protect(new Request(`${origin}/mcp`, { method: "POST", headers, body }))).status
    }
  }
}

/** A store, and what a thief sees and does in it. */
const makeStore = () => {
  const store = Effect.runSync(MemoryStore.make())
  const values = new Map<string, string>()
  return {
    values,
    store: {
      ...store,
      put: (key, value, options) =>
        Effect.tap(store.put(key, value, options), (version) =>
          Effect.sync(() => {
            if (version !== undefined) values.set(key, value)
          }))
    } satisfies RecordStore.Store,
    overwrite: (key: string, value: string) =>
      Effect.runPromise(Effect.gen(function*() {
        const found = yield* store.get(key)
        yield* store.put(key, value, { lifetime: "1 hour", expected: found?.version ?? "absent" })
      }))
  }
}

const keysOf = (values: ReadonlyMap<string, string>, kind: string) =>
  [...values.keys()].filter((key) => key.includes(`:${kind}:`))

const keyOf = (kind: recordKeys.Kind, name: string) =>
  Effect.runPromise(Effect.flatMap(recordKeys.make(origin), (keyFor) => keyFor(kind, name)))

describe("the records of the proxy", () => {
  it("attack 61: show neither subjects nor clients, and a record without the seal of the proxy is absent", async () => {
    const { overwrite, store, values } = makeStore()
    const { call, issue, proxy, redeem, refresh } = await makeProxy(store)
    const code = await issue()
    const [codeKey] = keysOf(values, "code")
    for (const text of ["github", "1001", "inspector", "todos"]) {
      assert.notInclude(JSON.stringify([...values.values()]), text)
    }
    // The thief writes a code for another person, with the own challenge.
    const now = Date.now()
    const forgedCode = {
      clientId: "inspector",
      subject: "github|1002",
      resource: `${origin}/mcp`,
      scopes: ["todos:read"],
      upstreamKey: "x",
      redirectUri,
      challenge: challengeOf(verifier),
      issuedAt: now,
      expiresAt: now + 60_000
    }
    const sealedCode = values.get(codeKey!)!
    await overwrite(codeKey!, JSON.stringify(forgedCode))
    assert.strictEqual((await redeem(code)).json["error"], "invalid_grant")
    await overwrite(codeKey!, sealedCode)
    const { json: tokens } = await redeem(code)
    const { sid } = decodeJwt(tokens["access_token"]!) as { readonly sid: string }
    const grantKey = await keyOf("grant", sid)
    const sealedGrant = values.get(grantKey)!
    assert.strictEqual(await call(tokens["access_token"]!), 200)
    // A grant of another person: without a seal, and the sealed one of another key.
    const other = decodeJwt((await redeem(await issue())).json["access_token"]!) as { readonly sid: string }
    for (
      const value of [
        JSON.stringify({ ...forgedCode, seed: "s" }),
        values.get(await keyOf("grant", other.sid))!,
        "",
        "x.y"
      ]
    ) {
      await overwrite(grantKey, value)
      assert.strictEqual(await call(tokens["access_token"]!), 401)
      assert.strictEqual((await refresh(tokens["refresh_token"]!)).json["error"], "invalid_grant")
    }
    await overwrite(grantKey, sealedGrant)
    assert.strictEqual((await refresh(tokens["refresh_token"]!)).status, 200)
    await proxy.dispose()
  })

  it("attack 63: grants and the lists of grants move to a new secret, and outlive the old one", async () => {
    const { store } = makeStore()
    const before = await makeProxy(store)
    const { json: first } = await before.redeem(await before.issue())
    const { json: idle } = await before.redeem(await before.issue())
    const during = await makeProxy(store, [otherSecret, secret])
    const { json: moved } = await during.refresh(first["refresh_token"]!)
    const after = await makeProxy(store, otherSecret)
    const { sid, sub } = decodeJwt(moved["access_token"]!) as { readonly sid: string; readonly sub: string }
    assert.strictEqual(await after.call(moved["access_token"]!), 200)
    assert.strictEqual((await after.refresh(idle["refresh_token"]!)).json["error"], "invalid_grant")
    assert.deepStrictEqual((await after.proxy.grants.list(sub)).map(({ id }) => id), [sid])
    assert.strictEqual(await after.proxy.grants.revokeAll(sub), 1)
    assert.strictEqual(await after.call(moved["access_token"]!), 401)
    await Promise.all([before, during, after].map(({ proxy }) => proxy.dispose()))
  })
})
