/**
 * A user's program: a protected server on `node:http`, one on `fetch` and one on Effect's router, with an authorization
 * server on a real port. Prints `passed` and its counts, or fails. It runs where the packed tarball is installed, on any
 * runtime that has `node:http`.
 */
import { AuthLayer, Principal } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { createServer } from "node:http"

const algorithms = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]

const listen = (server) =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)))

let issuer
const issuerServer = createServer((req, res) => issuer.listener(req, res))
const issuerUrl = await listen(issuerServer)

let guard
const server = createServer(async (req, res) => {
  if ((await guard(req, res)) !== undefined) res.end("in")
})
const resource = `${await listen(server)}/notes`
issuer = await TestIssuer.start({ issuer: issuerUrl, resource, algorithm: "RS256", algorithms })

const options = { resource, authorizationServers: [issuerUrl], scopes: ["notes:read", "notes:write"] }
const node = await McpAuthNode.make(options)
guard = node.protectRoute({ scopes: ["notes:read"] })
const web = await McpAuthFetch.make(options)
const fetchRoute = web.protectRoute(() => new Response("in"), { scopes: ["notes:read"] })
const effect = HttpRouter.toWebHandler(
  HttpRouter.add("GET", "/notes", Effect.map(Principal, ({ subject }) => HttpServerResponse.text(subject ?? "in")))
    .pipe(
      Layer.provide(AuthLayer.make(options))
    ),
  { disableLogger: true }
)

const hosts = {
  "node:http": (headers) => fetch(resource, { headers }),
  fetch: (headers) => fetchRoute(new Request(resource, { headers })),
  Effect: (headers) => effect.handler(new Request(resource, { headers }))
}

let count = 0
const expect = async (name, send, token, ...statuses) => {
  const response = await send(token === undefined ? {} : { authorization: `Bearer ${token}` })
  await response.text()
  assert(statuses.includes(response.status), `${name} answers ${response.status} instead of ${statuses.join(" or ")}`)
  count++
  return response
}

for (const [name, send] of Object.entries(hosts)) {
  const challenge = (await expect(name, send, undefined, 401)).headers.get("www-authenticate")
  assert.match(
    challenge,
    /resource_metadata="http:\/\/127\.0\.0\.1:\d+\/\.well-known\/oauth-protected-resource\/notes"/
  )
  for (const algorithm of algorithms) {
    const token = await issuer.mint({ subject: "alice", scopes: ["notes:read"], algorithm })
    await expect(`${name}, ${algorithm}`, send, token, 200)
    await expect(`${name}, ${algorithm} from the cache`, send, token, 200)
    const [header, claims, signature] = token.split(".")
    const altered = `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`
    await expect(`${name}, ${algorithm} with an altered signature`, send, `${header}.${claims}.${altered}`, 401)
  }
  await expect(`${name}, another audience`, send, await issuer.mint({ audience: "https://other.example.com" }), 401)
  await expect(
    `${name}, without the token's scope`,
    send,
    await issuer.mint({ scopes: [] }),
    name === "Effect" ? 200 : 403
  )
  for (const kind of Forgery.kinds) {
    // A server may reject headers of this size before the gate reads them.
    const statuses = kind === "too-large" ? [401, 431] : [401]
    await expect(`${name}, ${kind}`, send, await issuer.mintBroken(kind), ...statuses)
  }
}

await Promise.all([node.dispose(), web.dispose(), effect.dispose()])
for (const each of [server, issuerServer]) {
  each.close()
  each.closeAllConnections?.()
}
console.log(`passed ${count} requests`)
