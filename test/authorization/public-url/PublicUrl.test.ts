import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Redacted } from "effect"
import { AuthLayer, Principal, TokenVerifier } from "effect-mcp-auth"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { Dpop } from "effect-mcp-auth/dpop"
import { PublicUrl } from "effect-mcp-auth/public-url"
import { Tenants } from "effect-mcp-auth/tenants"
import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { gateLayer } from "../../servers/gates.ts"
import { by, setup } from "../../verification/tenants/servers.ts"
import { authenticate, authenticateCaller } from "../steps.ts"
import { listening, principal, rejected, request } from "../support.ts"

type Options = Partial<Omit<AuthLayer.Common<readonly ["todos:read"]>, "scopes">>

/** Builds the layer of a gate with this resource. Returns the gate, an issuer and the warnings of the layer. */
const build = Effect.fnUntraced(function*(resource: unknown, options: Options = {}) {
  const { client, issuer } = yield* TestIssuer.make()
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(String(message))
  })
  const context = yield* Layer.build(
    gateLayer({
      ...options,
      resource: resource as string,
      authorizationServers: [issuer.issuer],
      scopes: ["todos:read"]
    }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)), Layer.provide(Logger.layer([logger])))
  )
  return { gate: Context.get(context, AuthLayer.AuthLayer), issuer, warnings }
})

const optionsError = (resource: unknown, options: Options = {}) =>
  Effect.map(Effect.flip(Effect.scoped(build(resource, options))), (error) => {
    assert.strictEqual(error._tag, "AuthConfigError")
    return error
  })

const url = "https://api.example.com/tools/mcp"
const insecure = { [PublicUrl.allowInsecureHttp]: true as const }

describe("the options of PublicUrl", () => {
  it.effect.each<[title: string, resource: () => unknown, option: string, reason: string]>([
    ["a value other than an object", () => PublicUrl.make("https://a.test" as never), "resource", "malformed"],
    ["a missing URL", () => PublicUrl.make({} as never), "resource.url", "malformed"],
    ["a misspelled option", () => PublicUrl.make({ url, prefix: "/tools" } as never), "resource.prefix", "malformed"],
    ["a URL with a fragment", () => PublicUrl.make({ url: `${url}#a` }), "resource.url", "malformed"],
    [
      "http on a host that is not loopback",
      () => PublicUrl.make({ url: "http://tools:3000/mcp" }),
      "resource.url",
      "insecure"
    ],
    [
      "allowInsecureHttp: false",
      () => PublicUrl.make({ url, [PublicUrl.allowInsecureHttp]: false as never }),
      "resource[PublicUrl.allowInsecureHttp]",
      "insecure"
    ],
    [
      "a scheme that is not http",
      () => PublicUrl.make({ url: "ftp://tools/mcp", ...insecure }),
      "resource.url",
      "insecure"
    ],
    [
      "a prefix with a slash at its end",
      () => PublicUrl.make({ url, publicPrefix: "/tools/" }),
      "resource.publicPrefix",
      "malformed"
    ],
    ["an empty prefix", () => PublicUrl.make({ url, internalPrefix: "" }), "resource.internalPrefix", "malformed"],
    [
      "a prefix with dot segments",
      () => PublicUrl.make({ url, internalPrefix: "/a/../b" }),
      "resource.internalPrefix",
      "malformed"
    ],
    [
      "a prefix without a slash",
      () => PublicUrl.make({ url, internalPrefix: "app" }),
      "resource.internalPrefix",
      "malformed"
    ],
    [
      "a prefix that the URL lacks",
      () => PublicUrl.make({ url, publicPrefix: "/tool" }),
      "resource.publicPrefix",
      "conflict"
    ],
    [
      "metadata at another origin",
      () => PublicUrl.make({ url, metadataUrl: "https://evil.example.com/metadata" }),
      "resource.metadataUrl",
      "conflict"
    ],
    [
      "metadata over http",
      () => PublicUrl.make({ url, metadataUrl: "http://api.example.com/metadata" }),
      "resource.metadataUrl",
      "insecure"
    ],
    [
      "metadata at a URL with a query",
      () => PublicUrl.make({ url, metadataUrl: "https://api.example.com/metadata?a" }),
      "resource.metadataUrl",
      "malformed"
    ],
    [
      "metadata at the resource itself",
      () => PublicUrl.make({ url, metadataUrl: url }),
      "resource.metadataUrl",
      "conflict"
    ],
    [
      "metadata whose path on the server is that of the resource",
      () => PublicUrl.make({ url, publicPrefix: "/tools", metadataUrl: "https://api.example.com/mcp" }),
      "resource.metadataUrl",
      "conflict"
    ],
    [
      "metadata whose path on the server is the root, as that of the resource",
      () =>
        PublicUrl.make({
          url: "https://api.example.com/tools",
          publicPrefix: "/tools",
          metadataUrl: "https://api.example.com/"
        }),
      "resource.metadataUrl",
      "conflict"
    ],
    ["an empty list", () => PublicUrl.byHost([] as never), "resource", "malformed"],
    ["a text instead of a list", () => PublicUrl.byHost(url as never), "resource", "malformed"],
    ["a wrong URL in a list", () => PublicUrl.byHost([url, "https://b.test/mcp#a"]), "resource[1]", "malformed"],
    [
      "a wrong object in a list",
      () => PublicUrl.byHost([url, { url: "https://b.test#a" }]),
      "resource[1].url",
      "malformed"
    ],
    [
      "[T-AUD-32] two URLs with one host name",
      () => PublicUrl.byHost([url, "https://b.test/mcp", "https://api.example.com:8443/other"]),
      "resource[2]",
      "duplicate"
    ],
    [
      "[T-AUD-32] two loopback URLs",
      () => PublicUrl.byHost(["http://localhost:3000/mcp", "http://127.0.0.1:3000/mcp"]),
      "resource[1]",
      "duplicate"
    ],
    ["options without PublicUrl", () => ({ url }), "resource", "malformed"]
  ])("%s: the layer fails, and names the option", ([, resource, option, reason]) =>
    Effect.gen(function*() {
      const error = yield* optionsError(resource())
      assert.deepStrictEqual([error.option, error.reason], [option, reason], error.message)
      assert.isAbove(error.fix.length, 20)
    }))

  it.effect("allowedHosts and tenants cannot be combined with several URLs", () =>
    Effect.gen(function*() {
      const several = PublicUrl.byHost([url, "https://b.test/mcp"])
      const tenants = Tenants.fromHeader("x-tenant", { authorizationServers: () => Effect.succeed([]) })
      for (const options of [{ allowedHosts: ["c.test"] }, { tenants }]) {
        const error = yield* optionsError(several, options)
        assert.deepStrictEqual([error.option, error.reason], [Object.keys(options)[0], "conflict"])
      }
    }))
})

describe("the path of a proxy", () => {
  const paths = Effect.fnUntraced(function*(options: PublicUrl.Options, received: ReadonlyArray<string>) {
    const { gate } = yield* build(PublicUrl.make(options))
    return received.map(gate.resource.toPublicPath)
  })

  it.effect.each<
    [title: string, options: PublicUrl.Options, pairs: ReadonlyArray<readonly [string, string | undefined]>]
  >([
    ["unchanged", { url }, [["/tools/mcp", "/tools/mcp"], ["/", "/"]]],
    ["a removed prefix", { url, publicPrefix: "/tools" }, [
      ["/mcp", "/tools/mcp"],
      ["/", "/tools/"],
      ["/tools/mcp", "/tools/tools/mcp"]
    ]],
    ["an added prefix", { url: "https://api.example.com/mcp", internalPrefix: "/app" }, [
      ["/app/mcp", "/mcp"],
      ["/app/", "/"],
      ["/app", undefined],
      ["/mcp", undefined],
      ["/apple/mcp", undefined],
      ["/%61pp/mcp", undefined]
    ]],
    ["a replaced prefix", { url, publicPrefix: "/tools", internalPrefix: "/app/v1" }, [
      ["/app/v1/mcp", "/tools/mcp"],
      ["/app/v1", "/tools"],
      ["/app/mcp", undefined]
    ]],
    ["a removed path", { url: "https://api.example.com/tools", publicPrefix: "/tools" }, [
      ["/", "/tools"],
      ["/mcp", "/tools/mcp"]
    ]],
    ["an added path", { url: "https://api.example.com", internalPrefix: "/app" }, [
      ["/app", "/"],
      ["/app/", "/"],
      ["/app/mcp", "/mcp"],
      ["/", undefined],
      ["/apple", undefined]
    ]],
    ["a replaced path", { url: "https://api.example.com/tools", publicPrefix: "/tools", internalPrefix: "/mcp" }, [
      ["/mcp", "/tools"],
      ["/mcp/", "/tools/"]
    ]]
  ])("%s: each received path has the public path of its URL, or none", ([, options, pairs]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* paths(options, pairs.map(([path]) => path)), pairs.map(([, path]) => path))
    }))

  it.effect.each<[metadataUrl: string, options: Partial<PublicUrl.Options>, path: string]>([
    ["https://api.example.com/tools/metadata", { publicPrefix: "/tools" }, "/metadata"],
    ["https://api.example.com/tools/metadata", { publicPrefix: "/tools", internalPrefix: "/app" }, "/app/metadata"],
    ["https://api.example.com/tools", { publicPrefix: "/tools", internalPrefix: "/app" }, "/app"],
    ["https://api.example.com/metadata", { publicPrefix: "/tools" }, "/metadata"],
    ["https://api.example.com/metadata", {}, "/metadata"]
  ])(
    "metadata at %s with %j is published at %s, and at the well-known path",
    ([metadataUrl, options, path]) =>
      Effect.gen(function*() {
        const { gate } = yield* build(PublicUrl.make({ url, metadataUrl, ...options }))
        assert.strictEqual(gate.resource.metadataUrl, metadataUrl)
        assert.deepStrictEqual(gate.resource.metadataPaths, ["/.well-known/oauth-protected-resource/tools/mcp", path])
      })
  )

  it.effect("[T-AUD-32] a path whose dot segments leave the internal prefix has no DPoP URL", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(
        PublicUrl.make({ url, publicPrefix: "/tools", internalPrefix: "/app" }),
        { dpop: Dpop.required() }
      )
      const client = yield* DpopClient.make()
      const token = yield* issuer.mint({ audience: url, scopes: ["todos:read"], boundTo: client.thumbprint })
      const send = Effect.fnUntraced(function*(path: string, htu: string) {
        const proof = yield* client.proof({ method: "POST", url: htu, token })
        return yield* authenticate(gate, {
          method: "POST",
          path,
          dpop: [proof],
          header: () => undefined,
          authorization: [`DPoP ${token}`]
        }).pipe(Effect.as("in"), Effect.catch(({ reason }) => Effect.succeed(reason)))
      })
      assert.strictEqual(yield* send("/app/mcp", url), "in")
      for (const path of ["/app/../mcp", "/app/%2e%2e/mcp", "/mcp", "/app/../../tools/mcp"]) {
        for (const htu of [url, "https://api.example.com/mcp", "https://api.example.com/tools/../mcp"]) {
          assert.strictEqual(yield* send(path, htu), "proof-url", `${path} ${htu}`)
        }
      }
    }))

  it.effect("the log names the expected public URL of a rejected proof", () =>
    Effect.gen(function*() {
      const { explanations, layer } = listening()
      const { gate, issuer } = yield* build(PublicUrl.make({ url, internalPrefix: "/app" }), { dpop: Dpop.required() })
      const client = yield* DpopClient.make()
      const token = yield* issuer.mint({ audience: url, scopes: ["todos:read"], boundTo: client.thumbprint })
      for (const path of ["/app/tools/mcp", "/mcp"]) {
        const proof = yield* client.proof({ method: "POST", url: "https://api.example.com/other", token })
        yield* rejected(authenticate(gate, {
          method: "POST",
          path,
          dpop: [proof],
          header: () => undefined,
          authorization: [`DPoP ${token}`]
        })).pipe(Effect.provide(layer))
      }
      assert.deepStrictEqual(explanations.map((_) => _["expected"]), [
        `the URL of the request: "${url}"`,
        "no URL: the proxy sends no request to \"/mcp\""
      ])
      assert.include(explanations[0]!["advice"], "PublicUrl")
    }))

  it.effect("a pattern of tenants is that of the public path", () =>
    Effect.gen(function*() {
      const resource = PublicUrl.make({ url: "https://server.test/tools/mcp", publicPrefix: "/tools" })
      const { outcome, token } = yield* setup(by("fromPath", "/tools/t/:tenant/mcp"), { layer: { resource } as object })
      const acme = yield* token("acme", {}, "https://server.test/tools/t/acme/mcp")
      assert.strictEqual(yield* outcome(acme, { path: "/t/acme/mcp" }), "admitted")
      assert.strictEqual(yield* outcome(acme, { path: "/tools/t/acme/mcp" }), "401 unknown-tenant")
    }))

  it.effect("tenants in the path cannot share one metadata URL", () =>
    Effect.gen(function*() {
      const resource = PublicUrl.make({ url: "https://server.test/mcp", metadataUrl: "https://server.test/metadata" })
      const error = yield* Effect.flip(setup(by("fromPath", "/t/:tenant/mcp"), { layer: { resource } as object }))
      assert.deepStrictEqual([error.option, error.reason], ["tenants", "conflict"])
    }))

  it.effect("tenants in a header have their metadata at the configured URL", () =>
    Effect.gen(function*() {
      const resource = PublicUrl.make({ url: "https://server.test/mcp", metadataUrl: "https://server.test/metadata" })
      const { gate, result, token } = yield* setup(by("fromHeader", "x-tenant"), { layer: { resource } as object })
      const headers = { "x-tenant": "acme" }
      yield* result(yield* token("acme", {}, "https://server.test/mcp"), { headers })
      const { metadataUrl, metadata } = gate.published.resourceFor(principal({ tenant: "acme" }))
      assert.deepStrictEqual([metadataUrl, metadata.authorization_servers], [
        "https://server.test/metadata",
        ["https://acme.test"]
      ])
      const published = gate.published.tenants!.publishedAt("/metadata", {
        header: (name) => headers[name as "x-tenant"]
      })
      assert.deepInclude(yield* published!, { metadataUrl: "https://server.test/metadata" })
    }))
})

describe("http in a closed network", () => {
  const resource = PublicUrl.make({ url: "http://tools:3000/mcp", ...insecure })

  it.effect("logs one warning at the start, and https logs none", () =>
    Effect.gen(function*() {
      const { warnings } = yield* build(resource)
      assert.strictEqual(warnings.length, 1)
      assert.match(warnings[0]!, /^INSECURE: the resource http:\/\/tools:3000\/mcp is http/)
      assert.deepStrictEqual((yield* build(PublicUrl.make({ url, ...insecure }))).warnings, [])
      assert.deepStrictEqual((yield* build(PublicUrl.make({ url: "http://localhost:3000", ...insecure }))).warnings, [])
    }))

  it.effect("[T-AUD-18c] rejects every Host header with another name", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(resource)
      const token = yield* issuer.mint({ audience: "http://tools:3000/mcp", scopes: ["todos:read"] })
      const send = (...host: ReadonlyArray<string>) =>
        authenticate(gate, { method: "POST", host, header: () => undefined, authorization: [`Bearer ${token}`] }).pipe(
          Effect.as("in"),
          Effect.catch(({ reason }) => Effect.succeed(reason))
        )
      assert.strictEqual(yield* send("tools:3000"), "in")
      for (const host of [["evil.test"], [], ["localhost:3000"], ["tools:3000", "evil.test"]]) {
        assert.strictEqual(yield* send(...host), "foreign-host", host.join())
      }
    }))
})

describe("several public URLs", () => {
  const [one, other] = ["https://one.test/mcp", "https://two.test/mcp"] as const

  const sender = (gate: AuthLayer.AuthLayer["Service"]) => (token: string, ...host: ReadonlyArray<string>) =>
    authenticateCaller(gate, { method: "POST", host, header: () => undefined, authorization: [`Bearer ${token}`] })

  it.effect("[T-AUD-32] a request that names two hosts, or none, is rejected", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(PublicUrl.byHost([one, other]))
      const token = yield* issuer.mint({ audience: [one, other], scopes: ["todos:read"] })
      const send = sender(gate)
      assert.isDefined((yield* send(token, "one.test", "one.test:443")).principal)
      for (const hosts of [[], ["one.test", "two.test"], ["two.test", "one.test"], ["one.test", "evil.test"]]) {
        assert.strictEqual((yield* rejected(send(token, ...hosts))).reason, "foreign-host", hosts.join())
      }
    }))

  it.effect("[T-AUD-32] a web page at one URL can call only that URL", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(PublicUrl.byHost([one, other]), { allowedOrigins: ["https://app.test"] })
      const token = yield* issuer.mint({ audience: [one, other], scopes: ["todos:read"] })
      const send = (host: string, origin: string) =>
        authenticate(gate, {
          method: "POST",
          host: [host],
          header: (name) => name === "origin" ? origin : undefined,
          authorization: [`Bearer ${token}`]
        }).pipe(Effect.as("in"), Effect.catch(({ reason }) => Effect.succeed(reason)))
      assert.strictEqual(yield* send("one.test", "https://one.test"), "in")
      assert.strictEqual(yield* send("two.test", "https://one.test"), "origin")
      assert.strictEqual(yield* send("one.test", "https://two.test"), "origin")
      assert.strictEqual(yield* send("two.test", "https://app.test"), "in")
    }))

  it.effect("the log names all hosts if a host is rejected", () =>
    Effect.gen(function*() {
      const { explanations, layer } = listening()
      const { gate } = yield* build(PublicUrl.byHost([one, other]))
      yield* rejected(sender(gate)("t", "evil.test")).pipe(Effect.provide(layer))
      assert.deepInclude(explanations[0], {
        expected: "\"one.test\", \"two.test\"",
        receivedUnverified: "\"evil.test\""
      })
    }))

  it.effect("each principal belongs to the resource that verified it, even with one object of the author's verifier", () =>
    Effect.gen(function*() {
      const alice = principal({ scopes: ["todos:read"] })
      const { gate } = yield* build(PublicUrl.byHost([one, other]), {
        verifier: () => TokenVerifier.make(() => Effect.succeed(alice))
      })
      const send = sender(gate)
      const callers = [yield* send("t", "one.test"), yield* send("t", "two.test"), yield* send("t", "one.test")]
      assert.deepStrictEqual(callers.map((_) => gate.published.resourceFor(_.principal).resource), [one, other, one])
    }))

  it.effect("[T-AUD-32] each caller with an API key belongs to the resource that it called", () =>
    Effect.gen(function*() {
      const { key, record } = yield* ApiKeys.generate({ subject: "cron", scopes: ["todos:read"] })
      const store = ApiKeys.memory()
      yield* store.put(record)
      const { gate } = yield* build(PublicUrl.byHost([one, other]), {
        apiKeys: ApiKeys.make({ store, header: "X-Api-Key" })
      })
      const send = (host: string) =>
        authenticateCaller(gate, { ...request({ "x-api-key": Redacted.value(key) }), host: [host] })
      const callers = [yield* send("one.test"), yield* send("two.test"), yield* send("one.test")]
      assert.deepStrictEqual(callers.map((_) => gate.published.resourceFor(_.principal).resource), [one, other, one])
    }))

  it.effect("a request stays with its gate if its Host header changes while it runs", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(PublicUrl.byHost([one, other]))
      const token = yield* issuer.mint({ audience: one, scopes: [] })
      let host = "one.test"
      const caller = yield* Effect.withFiber((fiber) =>
        gate.authenticate({
          fiber,
          method: "POST",
          get host() {
            return [host]
          },
          header: () => undefined,
          authorization: [`Bearer ${token}`]
        })
      )
      host = "two.test"
      const again = yield* gate.recheck(caller, true)
      const { headers } = yield* rejected(
        gate.authorize(again, [{
          method: "tools/call",
          kind: "tool",
          target: "x",
          params: undefined,
          isNotification: false
        }], () => ({
          scopes: ["todos:read"],
          unauthorized: "challenge",
          authenticated: true
        }))
      )
      assert.include(headers["www-authenticate"], "https://one.test/.well-known/oauth-protected-resource/mcp")
    }))

  it.effect("sealed state, invalidation and readiness work at each URL", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(PublicUrl.byHost([one, other]))
      const token = yield* issuer.mint({ audience: other, scopes: ["todos:read"] })
      const send = sender(gate)
      const { principal: before } = yield* send(token, "two.test")
      const context = gate.provideCaller(Context.empty(), before!)
      assert.strictEqual(Context.get(context, Principal).subject, "alice")
      yield* gate.ready
      yield* gate.invalidate("everything")
      const { principal: after } = yield* send(token, "two.test")
      assert.notStrictEqual(after, before)
    }))

  it.effect("the URLs share the sessions of a caller, and another caller gets 404", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* build(PublicUrl.byHost([one, other]))
      const mint = (subject: string, audience: string) => issuer.mint({ subject, audience, scopes: ["todos:read"] })
      const send = sender(gate)
      gate.sessions.streams.bind("session", (yield* send(yield* mint("alice", one), "one.test")).principal)
      yield* gate.sessions.check(yield* send(yield* mint("alice", other), "two.test"), "session")
      const bob = yield* send(yield* mint("bob", other), "two.test")
      assert.strictEqual((yield* rejected(gate.sessions.check(bob, "session"))).status, 404)
    }))
})
