/** Tests what the doctor says about tokens for other servers, with the verifiers that authors of servers use. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { Doctor } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { signIn as signInWith } from "../../../examples/authorization-server/test/signIn.ts"
import * as Serving from "../../../examples/shared/Serving.ts"
import * as TodoManagers from "../../../examples/todo-manager/test/servers.ts"
import {
  getFailures,
  getFinding,
  getVerdict,
  handleMcp,
  makeIssuer,
  type Ran,
  runDoctor,
  serve,
  serveMetadata,
  startBearerAuth
} from "./servers.ts"

/** Imports a package without its types, because they would add members to the types of the SDK in every compiled file. */
const importUntyped = (name: string): Promise<any> => import(/* @vite-ignore */ name)

/** Starts a server with mcp-auth 0.2.0. */
const startMcpAuth = (issuer: string, ran: Ran, audience?: (resource: string) => string) =>
  serve(async (app, origin) => {
    const resource = `${origin}/mcp`
    const { fetchServerConfig, MCPAuth } = await importUntyped("mcp-auth")
    const mcpAuth = new MCPAuth({
      protectedResources: {
        metadata: {
          resource,
          authorizationServers: [await fetchServerConfig(issuer, { type: "oidc" })],
          scopesSupported: ["todos:read"]
        }
      }
    })
    app.use(mcpAuth.protectedResourceMetadataRouter())
    app.use(
      "/mcp",
      mcpAuth.bearerAuth("jwt", { resource, ...(audience === undefined ? {} : { audience: audience(resource) }) }),
      handleMcp(ran)
    )
  })

const servers = [["requireBearerAuth of the SDK", startBearerAuth], ["mcp-auth 0.2.0", startMcpAuth]] as const

describe("the audience of tokens", () => {
  it.live.each(servers)(
    "is not checked by %s without an audience, so a token for another server fails a MUST",
    ([, start]) =>
      Effect.gen(function*() {
        const ran: Ran = []
        const { issuer, signIn } = yield* makeIssuer
        const origin = yield* start(issuer, ran)
        const url = `${origin}/mcp`
        const foreign = yield* signIn(`${origin}/other`)

        const without = yield* runDoctor(url)
        assert.strictEqual(getVerdict(without, "rejects-foreign-token"), "inconclusive")
        assert.notStrictEqual(without.outcome, "pass")

        const own = yield* runDoctor(url, { token: yield* signIn(url) })
        assert.strictEqual(getVerdict(own, "accepts-token"), "pass")
        assert.strictEqual(getVerdict(own, "rejects-foreign-token"), "inconclusive")

        for (const options of [{ token: foreign }, { foreignToken: foreign }]) {
          const report = yield* runDoctor(url, options)
          assert.include(getFailures(report, "MUST"), "rejects-foreign-token")
          assert.strictEqual(report.outcome, "fail")
          assert.strictEqual(
            getFinding(report, "rejects-foreign-token").why,
            `the server accepts the token with the audience ${origin}/other, which is not for ${url}`
          )
          assert.include(getFinding(report, "rejects-foreign-token").change!, "Compare aud of the token")
          assert.notInclude(JSON.stringify(report), Redacted.value(foreign))
        }
        assert.deepStrictEqual(ran, [])
      })
  )

  it.live("is checked by mcp-auth 0.2.0 with an audience", () =>
    Effect.gen(function*() {
      const { issuer, signIn } = yield* makeIssuer
      const origin = yield* startMcpAuth(issuer, [], (resource) => resource)
      const report = yield* runDoctor(`${origin}/mcp`, { token: yield* signIn(`${origin}/other`) })
      assert.strictEqual(getVerdict(report, "rejects-foreign-token"), "pass")
      assert.strictEqual(getVerdict(report, "accepts-token"), "skipped")
      assert.strictEqual(report.outcome, "pass")
    }))

  it.live.each(TodoManagers.servers)(
    "is checked by the todo manager of this library: $name",
    ({ layer }) =>
      Effect.gen(function*() {
        const { authorizationServers: [issuer], url } = yield* Serving.Endpoint
        const mint = (resource: string) =>
          Effect.map(
            Effect.promise(() => signInWith({ issuer, resource, scope: "create:todos read:todos" })),
            ({ access_token }) => Redacted.make(access_token)
          )
        const foreign = yield* mint(url.replace("/mcp", "/other"))
        const own = yield* mint(url)

        const rejected = yield* runDoctor(url, { token: foreign })
        assert.strictEqual(getVerdict(rejected, "rejects-foreign-token"), "pass")
        assert.strictEqual(getVerdict(rejected, "accepts-token"), "skipped")
        assert.strictEqual(rejected.outcome, "pass", JSON.stringify(getFailures(rejected)))

        const both = yield* runDoctor(url, { token: own, foreignToken: foreign })
        assert.strictEqual(getVerdict(both, "rejects-foreign-token"), "pass")
        assert.strictEqual(getVerdict(both, "accepts-token"), "pass")
        assert.strictEqual(both.outcome, "pass", JSON.stringify(getFailures(both)))

        const error = yield* Effect.flip(runDoctor(url, { foreignToken: own }))
        assert.include(error.message, "which is this server")
      }).pipe(Effect.provide(layer.pipe(Layer.provide(TodoManagers.issuer))))
  )
})

describe("a rejected token for another server", () => {
  const url = "https://server.test/mcp"
  const issuerUrl = "https://issuer.test"

  /** Runs the doctor against a server in memory that rejects every token. */
  const runRejecting = (options: TestIssuer.TokenOptions, status = 401) =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ issuer: issuerUrl })
      yield* issuer.respondWith("/.well-known/oauth-protected-resource", () =>
        Response.json({ resource: url, authorization_servers: [issuerUrl] }))
      yield* issuer.respondWith("/mcp", ({ headers }) =>
        new Response("", {
          status: /^Bearer ey.*[^.x]$/.test(headers["authorization"] ?? "") ? status : 401,
          headers: { "www-authenticate": "Bearer" }
        }))
      const token = Redacted.make(yield* issuer.mint({ audience: "https://other.test/mcp", ...options }))
      const report = yield* Effect.provideService(Doctor.run(url, { token }), HttpClient.HttpClient, client)
      return getFinding(report, "rejects-foreign-token")
    })

  it.effect.each<readonly [string, TestIssuer.TokenOptions, RegExp]>([
    ["expired", { expiresIn: "-1 hour" }, /because it expired/],
    [
      "from an issuer that the metadata do not name",
      { claims: { iss: "https://foreign.test" } },
      /because its issuer is/
    ],
    ["bound to a key", { claims: { cnf: { jkt: "x" } } }, /because it is bound to a key/]
  ])("shows nothing if the token is %s", ([, options, why]) =>
    Effect.gen(function*() {
      const { verdict, why: found } = yield* runRejecting(options)
      assert.strictEqual(verdict, "inconclusive")
      assert.match(found, why)
    }))

  it.effect.each(
    [
      [401, "pass"],
      [403, "fail"],
      [404, "inconclusive"],
      [500, "inconclusive"]
    ] as const
  )("with status %d: %s", ([status, verdict]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* runRejecting({}, status)).verdict, verdict)
    }))
})

describe("a token", () => {
  it.live("is not sent over http to another machine", () =>
    Effect.gen(function*() {
      const token = Redacted.make("abc")
      for (const options of [{ token }, { foreignToken: token }]) {
        const error = yield* Effect.flip(runDoctor("http://server.test/mcp", options))
        assert.strictEqual(error._tag, "InvalidInput")
        assert.include(error.message, "is not https")
      }
    }))

  it.live("without an audience that is accepted leaves the check inconclusive", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app, origin) => {
        serveMetadata(app, `${origin}/mcp`, origin)
        app.use("/mcp", (request, response, next) =>
          request.headers.authorization?.startsWith("Bearer ey") === true
            ? next()
            : void response.status(401).setHeader("www-authenticate", "Bearer").end(), handleMcp([]))
      })
      const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
      const claims = { iss: origin, sub: "alice", exp: 4_000_000_000 }
      const token = Redacted.make(`${segment({ alg: "ES256" })}.${segment(claims)}.c2ln`)
      const report = yield* runDoctor(`${origin}/mcp`, { token })
      assert.strictEqual(getVerdict(report, "rejects-foreign-token"), "inconclusive")
      assert.include(getFinding(report, "rejects-foreign-token").why, "accepts the token without an audience")
    }))
})

describe("a token whose audience is not a URL, as at Entra ID", () => {
  const start = (accepts: string) =>
    serve((app, origin) => {
      serveMetadata(app, `${origin}/mcp`, origin)
      app.use("/mcp", (request, response, next) => {
        const claims = request.headers.authorization?.split(".")[1] ?? ""
        return Buffer.from(claims, "base64url").toString().includes(accepts)
          ? next()
          : void response.status(401).setHeader("www-authenticate", "Bearer").end()
      }, handleMcp([]))
    })
  const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const write = (iss: string, aud: string) =>
    Redacted.make(`${segment({ alg: "ES256" })}.${segment({ iss, aud, sub: "alice", exp: 4_000_000_000 })}.c2ln`)

  it.live.each(["api://todos", "64fd4e3c-0d3b-4a3e-9d0a-3b8f7f0a8d11"])(
    "shows nothing about other servers, because %s can be a name of this server",
    (aud) =>
      Effect.gen(function*() {
        const origin = yield* start(aud)
        const url = `${origin}/mcp`
        const accepted = yield* runDoctor(url, { token: write(origin, aud) })
        assert.strictEqual(getVerdict(accepted, "rejects-foreign-token"), "inconclusive")
        assert.include(getFinding(accepted, "rejects-foreign-token").why, `${aud}, can be a name of this server`)
        assert.strictEqual(getVerdict(accepted, "accepts-token"), "pass")

        const rejected = yield* runDoctor(url, { token: write(origin, "api://reports") })
        assert.strictEqual(getVerdict(rejected, "rejects-foreign-token"), "inconclusive")
        assert.strictEqual(getVerdict(rejected, "accepts-token"), "fail")
      })
  )

  it.live("is for another server if the caller says so", () =>
    Effect.gen(function*() {
      const origin = yield* start("api://todos")
      const run = (aud: string) => runDoctor(`${origin}/mcp`, { foreignToken: write(origin, aud) })
      assert.strictEqual(getVerdict(yield* run("api://todos"), "rejects-foreign-token"), "fail")
      assert.strictEqual(getVerdict(yield* run("api://reports"), "rejects-foreign-token"), "pass")
    }))
})
