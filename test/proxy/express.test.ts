/** The endpoints of the proxy behind body parsers of Express. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import express from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import type { Server } from "node:http"
import * as Admit from "../../src/proxy/Admit.ts"
import * as OAuthProxy from "../../src/proxy/OAuthProxy.ts"
import * as Upstream from "../../src/proxy/upstream/Upstream.ts"
import { secret } from "./front/world.ts"
import { close, listen } from "./server.ts"

const create5 = express
const create4 = express4 as unknown as typeof express

describe.each([
  ["Express 5, a parser of JSON and one of forms", create5, true],
  ["Express 4, a parser of JSON and one of forms", create4, true],
  ["Express 5, a parser of JSON", create5, false],
  ["Express 4, a parser of JSON", create4, false]
])("%s", (_, create, parsesForms) => {
  let server: Server
  let origin: string
  let proxy: Awaited<ReturnType<typeof makeProxy>>
  const makeProxy = (url: string) =>
    OAuthProxy.make({
      resource: `${url}/mcp`,
      scopes: ["todos:read"],
      upstream: Upstream.github({ clientId: "id", clientSecret: Redacted.make("s"), scopes: { "todos:read": [] } }),
      admit: Admit.anyone,
      secret
    })
  beforeAll(async () => {
    const listening = await listen()
    server = listening.server
    origin = listening.origin
    proxy = await makeProxy(origin)
    const app = create()
    app.use("/register", (req, _, next) => {
      if (req.query["consumed"] === undefined) return next()
      // A middleware that reads the body and keeps nothing.
      req.resume().on("end", () => next())
    })
    app.use(create.json())
    if (parsesForms) app.use(create.urlencoded({ extended: true }))
    app.use(proxy.router())
    server.on("request", app)
  })
  afterAll(async () => {
    await close(server)
    await proxy.dispose()
  })

  const register = (query = "") =>
    fetch(`${origin}/register${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: ["http://127.0.0.1/callback"] })
    })

  it("registers clients and reads forms", async () => {
    const registered = await register()
    assert.strictEqual(registered.status, 201)
    const { client_id } = await registered.json() as { client_id: string }
    const response = await fetch(`${origin}/token`, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "unknown", client_id })
    })
    assert.deepInclude(await response.json(), { error: "invalid_grant" })
  })

  it("answers a request whose parsed body cannot be written as text", async () => {
    const nested = await fetch(`${origin}/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `${"[".repeat(49_000)}${"]".repeat(49_000)}`
    })
    assert.strictEqual(nested.status, 413)
    for (const path of ["/token", "/revoke", "/consent"]) {
      const response = await fetch(`${origin}${path}`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" },
        body: "client_id[toString]=x"
      })
      assert.include([400, 401, 413], response.status, path)
    }
    assert.strictEqual((await register()).status, 201)
  })

  it("answers a request whose body a middleware has consumed", async () => {
    assert.strictEqual((await register("?consumed")).status >= 400, true)
  })
})
