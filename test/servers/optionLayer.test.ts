import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Revocations } from "effect-mcp-auth/revocation"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpRouter } from "effect/http"
import { fetcherWith } from "./gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const options = { resource, authorizationServers: [issuer.issuer], scopes: ["todos:read"] } as const

describe("the option layer of hosts outside Effect", () => {
  it("supplies the service of a mechanism", async () => {
    const revocations = Context.get(
      await Effect.runPromise(Effect.scoped(Layer.build(Revocations.layerMemory))),
      Revocations.Revocations
    )
    await using auth = await McpAuthFetch.make({
      ...options,
      revocation: Revocations.stored,
      layer: Layer.merge(fetcherWith(client), Layer.succeed(Revocations.Revocations, revocations))
    })
    const route = auth.protectRoute(() => new Response("ran"))
    const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"], subject: "alice" }))
    const send = async () =>
      (await route(new Request(resource, { headers: { authorization: `Bearer ${token}` } }))).status
    assert.strictEqual(await send(), 200)
    await Effect.runPromise(revocations.revoke({ issuer: issuer.issuer, subject: "alice" }))
    assert.strictEqual(await send(), 401)
  })

  const wrong: ReadonlyArray<readonly [string, (given: never) => Promise<unknown>]> = [
    ["McpAuthFetch.make", McpAuthFetch.make],
    ["McpAuthNode.make", McpAuthNode.make],
    ["McpAuthSdk.make of v1", SdkV1.make],
    ["McpAuthSdk.make of v2", SdkV2.make]
  ]

  it.each(wrong)("is an AuthConfigError of %s if it is not a layer", async (_, make) => {
    for (const option of ["layer", "fetch"]) {
      const error = await make({ ...options, [option]: "none" } as never).catch((error: unknown) => error)
      assert.deepInclude(error as object, { _tag: "AuthConfigError", option })
    }
  })
})

describe("the option httpClient", () => {
  it.effect("is an AuthConfigError if it is not a layer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(AuthLayer.make({ ...options, httpClient: client as never })))
      assert.deepInclude(error as object, { _tag: "AuthConfigError", option: "httpClient" })
    }).pipe(Effect.provide(HttpRouter.layer), Effect.scoped))
})
