/** Tests the URLs of an authorization server in a split network: the issuer in tokens is not the name that this server reaches. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { AddressGuard } from "effect-mcp-auth/host"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer, Discovery, Fetcher, JwkSet } from "effect-mcp-auth/verification"
import { HttpClient, HttpClientRequest } from "effect/http"

const issuer = "http://localhost:8080/realms/x"
const internal = "http://keycloak:8080"
const metadataUrl = `${internal}/realms/x/.well-known/openid-configuration`

type ServerOptions = Partial<Omit<AuthorizationServer.Options, "issuer">>

const insecure: ServerOptions = { [AuthLayer.allowInsecureHttp]: true }

/** Loads the keys of an issuer that is reached only by `internal`. Returns the outcome, and the requested URLs. */
const load = Effect.fnUntraced(function*(
  server: ServerOptions,
  metadata: Readonly<Record<string, unknown>> = {},
  as: string = issuer,
  names: Readonly<Record<string, ReadonlyArray<string>>> = {}
) {
  const { client, issuer: published } = yield* TestIssuer.make({ issuer: as })
  yield* published.publishMetadata(metadata)
  const urls: Array<string> = []
  const reachable = HttpClient.mapRequest(client, (request) => {
    urls.push(request.url)
    const url = new URL(request.url)
    // Nothing listens at the public name inside the network.
    const target = url.origin === new URL(as).origin ? "https://unreachable.test" : new URL(as).origin
    return HttpClientRequest.setUrl(request, `${target}${url.pathname}`)
  })
  const fetcher = HttpClientFetcher.make(reachable)
  const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, fetcher)
  const keys = yield* JwkSet.make.pipe(
    Effect.provideService(Fetcher.Fetcher, fetcher),
    Effect.provideService(Discovery.Discovery, discovery)
  )
  const checked = Result.getOrThrow(AuthorizationServer.make({ issuer: as, ...server }, "authorizationServers[0]"))
  const outcome = yield* keys.load(checked).pipe(
    Effect.as("loaded"),
    Effect.catch(({ reason }) => Effect.succeed(reason)),
    Effect.provideService(AddressGuard.Resolver, (hostname) => Effect.succeed(names[hostname] ?? ["93.184.216.34"]))
  )
  return { outcome, urls }
})

describe("a split network", () => {
  it.effect("metadata and keys are fetched by the internal name, and the metadata contain the public issuer", () =>
    Effect.gen(function*() {
      const jwks_uri = `${internal}/realms/x/jwks`
      assert.deepStrictEqual(yield* load({ metadataUrl, ...insecure }, { jwks_uri }), {
        outcome: "loaded",
        urls: [metadataUrl, jwks_uri]
      })
    }))

  it.effect("without jwksUri, the keys are requested at the URL in the metadata, and never at a well-known URL of the issuer", () =>
    Effect.gen(function*() {
      const { outcome, urls } = yield* load({ metadataUrl, ...insecure })
      assert.strictEqual(outcome, "status")
      assert.deepStrictEqual(urls, [metadataUrl, `${issuer}/jwks`])
    }))

  it.effect("jwksUri replaces the URL in the metadata, which then are not fetched", () =>
    Effect.gen(function*() {
      const jwksUri = `${internal}/realms/x/jwks`
      assert.deepStrictEqual(yield* load({ metadataUrl, jwksUri, ...insecure }), { outcome: "loaded", urls: [jwksUri] })
    }))

  it.effect("[T-AUD-33] metadata at the internal name with another issuer are not used", () =>
    Effect.gen(function*() {
      for (const other of [`${internal}/realms/x`, `${issuer}/`, "http://localhost:8080/realms/y"]) {
        const { outcome, urls } = yield* load({ metadataUrl, ...insecure }, { issuer: other })
        assert.deepStrictEqual([outcome, urls], ["wrong-issuer", [metadataUrl]], other)
      }
    }))

  it("[T-AUD-33] http to a host that is not loopback needs allowInsecureHttp, for each of the URLs", () => {
    for (const option of ["metadataUrl", "jwksUri"] as const) {
      const made = AuthorizationServer.make({ issuer, [option]: metadataUrl }, "authorizationServers[0]")
      assert(Result.isFailure(made))
      assert.deepStrictEqual([made.failure.option, made.failure.reason], [
        `authorizationServers[0].${option}`,
        "insecure"
      ])
      assert.include(made.failure.fix, "allowInsecureHttp")
      for (const url of ["https://keycloak:8443/x", "http://localhost:9/x"]) {
        assert.isTrue(Result.isSuccess(AuthorizationServer.make({ issuer, [option]: url }, "authorizationServers[0]")))
      }
    }
  })

  it.effect("[T-AUD-33] the configured URLs may be private, and only private metadata may name private endpoints", () =>
    Effect.gen(function*() {
      const as = "https://auth.example.com"
      const names = { "keycloak.example.com": ["10.0.0.5"], "public.example.com": ["93.184.216.34"] }
      const inside = "https://keycloak.example.com"
      const jwks_uri = `${inside}/jwks`
      assert.strictEqual((yield* load({ jwksUri: jwks_uri }, {}, as, names)).outcome, "loaded")
      const atInside = { metadataUrl: `${inside}/.well-known/openid-configuration` }
      assert.strictEqual((yield* load(atInside, { jwks_uri }, as, names)).outcome, "loaded")
      const atPublic = { metadataUrl: "https://public.example.com/.well-known/openid-configuration" }
      const guarded = yield* load(atPublic, { jwks_uri }, as, names)
      assert.deepStrictEqual([guarded.outcome, guarded.urls], ["private-address", [atPublic.metadataUrl]])
      const allowed = { ...atPublic, [AuthLayer.allowPrivateEndpoints]: true } as const
      assert.strictEqual((yield* load(allowed, { jwks_uri }, as, names)).outcome, "loaded")
    }))
})
