/** The whole proxy in workerd, without modules of Node, with an upstream on loopback. */
import { assert, it } from "@effect/vitest"
import { Redacted } from "effect"
import { TestUpstream } from "effect-mcp-auth/testing"
import { build } from "esbuild"
import { decodeJwt } from "jose"
import { Miniflare } from "miniflare"
import type { RequestListener } from "node:http"
import { join } from "node:path"
import { challengeOf, secret, verifier } from "./front/world.ts"
import { close, listen, makePerson } from "./server.ts"

const origin = "http://127.0.0.1:9"
const redirectUri = "http://127.0.0.1/callback"

it("a client signs in through the proxy in workerd, calls a server, refreshes and revokes", async () => {
  const { origin: upstreamOrigin, server } = await listen()
  const upstream = await TestUpstream.start({ form: "github", origin: upstreamOrigin })
  server.on("request", upstream.listener as RequestListener)
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "worker.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["effect-mcp-auth/source", "workerd", "import", "default"]
  })
  const worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate: "2026-07-01",
    host: "127.0.0.1",
    port: 0,
    bindings: {
      origin,
      upstream: upstream.origin,
      clientId: upstream.clientId,
      clientSecret: upstream.clientSecret,
      secret: Redacted.value(secret)
    }
  })
  const send = (path: string, init: RequestInit = {}) =>
    worker.dispatchFetch(new URL(path, origin).href, { redirect: "manual", ...init } as never) as unknown as Promise<
      Response
    >
  const post = (path: string, form: Readonly<Record<string, string>>) =>
    send(path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: String(new URLSearchParams(form))
    })
  const call = (token: string) =>
    send("/mcp", {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
    })
  try {
    const metadata = await (await send("/.well-known/oauth-authorization-server")).json() as Record<string, unknown>
    assert.strictEqual(metadata["issuer"], origin)
    // Workers cannot check the addresses of their connections, so the proxy fetches no documents of clients there.
    assert.notProperty(metadata, "client_id_metadata_document_supported")

    const registration = await send("/register", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: [redirectUri] })
    })
    assert.strictEqual(registration.status, 201)
    const { client_id } = await registration.json() as { client_id: string }
    const callback = await makePerson({
      fetch: (url, init) => String(url).startsWith(`${origin}/`) ? send(String(url), init) : fetch(url, init)
    })(
      `${origin}/authorize?${new URLSearchParams({
        response_type: "code",
        client_id,
        redirect_uri: redirectUri,
        code_challenge: challengeOf(verifier),
        code_challenge_method: "S256",
        scope: "todos:read todos:write"
      })}`
    )
    assert.isNull(callback.searchParams.get("error"), callback.href)
    const redeemed = await post("/token", {
      grant_type: "authorization_code",
      code: callback.searchParams.get("code")!,
      client_id,
      redirect_uri: redirectUri,
      code_verifier: verifier
    })
    assert.strictEqual(redeemed.status, 200)
    const first = await redeemed.json() as { access_token: string; refresh_token: string }
    const { sub } = decodeJwt(first.access_token)
    assert.match(sub!, /^github\|[\w-]{8}\|1001$/)
    const called = await call(first.access_token)
    assert.strictEqual(called.status, 200)
    const { subject, upstreamToken } = await called.json() as Record<string, string>
    assert.strictEqual(subject, sub)
    assert.deepStrictEqual(await upstream.liveTokens("alice"), [upstreamToken!])

    const refreshed = await post("/token", {
      grant_type: "refresh_token",
      refresh_token: first.refresh_token,
      client_id
    })
    assert.strictEqual(refreshed.status, 200)
    const second = await refreshed.json() as { access_token: string; refresh_token: string }
    assert.strictEqual((await call(second.access_token)).status, 200)
    assert.strictEqual((await post("/revoke", { token: second.refresh_token, client_id })).status, 200)
    assert.strictEqual((await call(second.access_token)).status, 401)
  } finally {
    await worker.dispose()
    await close(server)
  }
})
