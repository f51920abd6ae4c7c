/** Tests an authorization server that this server reaches by another name than clients do, on every host. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { bearer, call } from "./cases.ts"
import * as Functions from "./functions.ts"
import { makeIssuer, optionsOf } from "./Host.ts"
import { hosts } from "./hosts.ts"

describe.each(hosts)("$name", (host) => {
  it("fetches the keys by the internal name, and accepts only tokens of the public issuer", async () => {
    const { client, issuer } = await makeIssuer()
    const urls: Array<string> = []
    const inside = HttpClient.mapRequest(client, (request) => {
      urls.push(request.url)
      return HttpClientRequest.setUrl(request, request.url.replace("http://keycloak:8080", issuer.issuer))
    })
    const functions = Functions.make("an authorization server with another name inside the network")
    const running = await host.start(optionsOf(issuer.issuer, {}), inside, functions)
    const mint = (iss?: string) =>
      Effect.runPromise(issuer.mint({ scopes: ["todos:read"], ...(iss === undefined ? {} : { claims: { iss } }) }))
    const statusWith = async (token: string) => (await running.send(call(bearer(token), "list_todos"))).status
    assert.strictEqual(await statusWith(await mint()), 200)
    assert.strictEqual(await statusWith(await mint("http://keycloak:8080")), 401)
    assert.deepStrictEqual(urls, ["http://keycloak:8080/jwks"])
    const { body } = await running.send({
      method: "GET",
      path: "/.well-known/oauth-protected-resource/mcp",
      headers: []
    })
    assert.deepStrictEqual(JSON.parse(body).authorization_servers, ["https://issuer.test"])
    await running.stop()
  })

  it("publishes no copy of metadata that contain the internal name", async () => {
    const { client, issuer } = await makeIssuer()
    const inside = HttpClient.mapRequest(
      client,
      (request) => HttpClientRequest.setUrl(request, request.url.replace("http://keycloak:8080", issuer.issuer))
    )
    const functions = Functions.make("an authorization server with another name inside the network")
    const others = {
      token_endpoint: "https://issuer.test/token",
      mtls_endpoint_aliases: {},
      other: "http://keycloak:80800/"
    }
    const copy = async (metadata: Readonly<Record<string, unknown>>) => {
      await Effect.runPromise(issuer.publishMetadata(metadata))
      const running = await host.start(optionsOf(issuer.issuer, { mirrorMetadata: true }), inside, functions)
      const answer = await running.send({
        method: "GET",
        path: "/.well-known/oauth-authorization-server",
        headers: []
      })
      await running.stop()
      return answer
    }
    for (
      const metadata of [
        { token_endpoint: "http://keycloak:8080/token" },
        { mtls_endpoint_aliases: { token_endpoint: "http://KEYCLOAK:8080" } }
      ]
    ) {
      const { body, status } = await copy(metadata)
      assert.strictEqual(status, 500)
      assert.notMatch(body, /keycloak/i)
    }
    assert.strictEqual((await copy(others)).status, 200)
  })
})
