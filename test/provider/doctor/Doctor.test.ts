import { assert, describe, it } from "@effect/vitest"
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js"
import { mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js"
import { Effect, Redacted } from "effect"
import { SigningKey } from "effect-mcp-auth/testing"
import express from "express"
import { createLocalJWKSet, jwtVerify } from "jose"
import * as AuthorizationServer from "../../../examples/authorization-server/AuthorizationServer.ts"
import { signIn } from "../../../examples/authorization-server/test/signIn.ts"
import { start } from "../../../examples/shared/test/Program.ts"
import * as Challenge from "../../../src/provider/doctor/ClientChallenge.ts"
import { listen } from "../../servers/sdk/listen.ts"
import { getFailures, getVerdict, runDoctor } from "./servers.ts"

describe("the example servers fail no rule", () => {
  it.live.each(["main.ts", "sdk-v1/main.ts", "sdk-v2/main.ts", "hono/main.ts"])(
    "%s",
    (file) =>
      Effect.acquireUseRelease(
        Effect.promise(async () => {
          const program = start(`todo-manager/${file}`, { PORT: "0" })
          return { program, url: (await program.firstLine).replace("listening on ", "") }
        }),
        ({ url }) =>
          Effect.gen(function*() {
            for (const revision of ["2026-07-28", "2025-11-25", "2025-06-18"] as const) {
              const report = yield* runDoctor(url, { revision })
              assert.deepStrictEqual(getFailures(report), [], revision)
              // Without a token, the audience is the only thing that the responses do not show.
              assert.deepStrictEqual(
                report.findings.filter((_) => _.verdict === "inconclusive").map((_) => _.rule),
                ["rejects-foreign-token"]
              )
              assert.strictEqual(report.outcome, "inconclusive", report.summary)
              assert.strictEqual(report.parts[0]?.outcome, "pass")
            }
            const issuer = (yield* runDoctor(url)).parts[0]!.subject
            const { access_token } = yield* Effect.promise(() =>
              signIn({ issuer, resource: url, scope: "create:todos read:todos" })
            )
            const report = yield* runDoctor(url, { token: Redacted.make(access_token), revision: "2025-11-25" })
            assert.deepStrictEqual(getFailures(report), [], JSON.stringify(report.findings, undefined, 1))
            assert.strictEqual(getVerdict(report, "accepts-token"), "pass")
            assert.strictEqual(getVerdict(report, "step-up"), "skipped")
            assert.strictEqual(getVerdict(report, "batch-bypass"), "pass")
            assert.notInclude(JSON.stringify(report), access_token)
          }),
        ({ program }) =>
          Effect.promise(() => {
            program.interrupt()
            return program.ended
          })
      ),
    60_000
  )
})

describe("a server with the middleware of the SDK", () => {
  it.live("fails the rules that the middleware breaks", () =>
    Effect.gen(function*() {
      const origin = yield* listen((origin) =>
        Effect.promise(async () => {
          const { publicJwk } = await SigningKey.start({ kid: "1" })
          const keys = createLocalJWKSet({ keys: [publicJwk] })
          const app = express()
          const endpoints = {
            issuer: origin,
            authorization_endpoint: `${origin}/authorize`,
            token_endpoint: `${origin}/token`,
            response_types_supported: ["code"]
          }
          process.env["MCP_DANGEROUSLY_ALLOW_INSECURE_ISSUER_URL"] = "true"
          app.use(mcpAuthMetadataRouter({ oauthMetadata: endpoints, resourceServerUrl: new URL(`${origin}/mcp`) }))
          app.post(
            "/mcp",
            requireBearerAuth({
              // A verifier as users of the SDK write it. It does not catch the errors of jose.
              verifier: {
                verifyAccessToken: async (token) => {
                  const { payload } = await jwtVerify(token, keys, { issuer: origin, audience: `${origin}/mcp` })
                  return { token, clientId: String(payload["client_id"]), scopes: [], expiresAt: payload.exp! }
                }
              },
              requiredScopes: ["todos:read"],
              resourceMetadataUrl: `${origin}/.well-known/oauth-protected-resource/mcp`
            }),
            (_request, response) => void response.json({})
          )
          return app
        })
      )
      const report = yield* runDoctor(`${origin}/mcp`)
      assert.strictEqual(report.outcome, "fail")
      const found = getFailures(report)
      // The middleware sends `error` to a request without a token, 500 for errors of jose, and a status other than 400 for
      // malformed credentials. The endpoint has no CORS headers, and the metadata of the authorization server has no PKCE
      // member.
      for (
        const rule of [
          "challenge-without-error",
          "rejects-invalid-token",
          "rejects-forged-token",
          "error-hygiene",
          "malformed-credentials",
          "cors-preflight",
          "cors-challenge",
          "authorization-servers"
        ]
      ) assert.include(found, rule)
      assert.include(report.findings.find((_) => _.rule === "rejects-invalid-token")!.why, "500")
      assert.strictEqual(getVerdict(report, "rejects-without-token"), "pass")
    }))
})

/** Imports a package without its types, because they would add members to the types of the SDK in every compiled file. */
const importUntyped = (name: string): Promise<any> => import(/* @vite-ignore */ name)

describe("a server with mcp-auth 0.2.0 on Express", () => {
  it.live("fails the SHOULD rules that mcp-auth breaks, and no MUST rule", () =>
    Effect.gen(function*() {
      const { issuer } = yield* AuthorizationServer.make({ scopes: ["read:notes", "write:notes"] })
      const origin = yield* listen((origin) =>
        Effect.promise(async () => {
          const resource = `${origin}/mcp`
          const { fetchServerConfig, MCPAuth } = await importUntyped("mcp-auth")
          const mcpAuth = new MCPAuth({
            protectedResources: {
              metadata: {
                resource,
                authorizationServers: [await fetchServerConfig(issuer, { type: "oidc" })],
                scopesSupported: ["read:notes", "write:notes"]
              }
            }
          })
          const app = express()
          app.use(mcpAuth.protectedResourceMetadataRouter())
          app.use(mcpAuth.bearerAuth("jwt", { resource, audience: resource }))
          app.post("/mcp", (_request, response) => void response.json({}))
          return app
        })
      )
      const report = yield* runDoctor(`${origin}/mcp`)
      // None of the failed rules lets an unauthorized request in. They concern information that clients need.
      assert.strictEqual(report.outcome, "inconclusive", report.summary)
      const failed = report.findings.filter((_) => _.verdict === "fail").map((
        { level, rule, why }
      ) => [level, rule, why])
      assert.deepStrictEqual(failed, [
        ["SHOULD", "challenge-without-error", "error is missing_auth_header, though the request had no token"],
        ["SHOULD", "challenge-scope", "scope is missing"],
        ["SHOULD", "malformed-credentials", "for Bearer without a token the server returns 401"],
        ["SHOULD", "cors-preflight", "the server returns 401 for the preflight"],
        ["SHOULD", "cors-challenge", "the server returns 401 without Access-Control-Allow-Origin"]
      ])
      for (const finding of report.findings.filter((_) => _.verdict === "fail")) assert.isNotEmpty(finding.change)
      assert.strictEqual(getVerdict(report, "rejects-forged-token"), "pass")
    }))
})

describe("a server that lists offline_access", () => {
  it.live("fails a rule of revision 2026-07-28", () =>
    Effect.gen(function*() {
      const origin = yield* listen((origin) =>
        Effect.succeed((request, response) => {
          if (request.url !== "/.well-known/oauth-protected-resource/mcp") {
            return response.writeHead(401, { "www-authenticate": "Bearer scope=\"a offline_access\"" }).end()
          }
          const metadata = {
            resource: `${origin}/mcp`,
            authorization_servers: [],
            scopes_supported: ["offline_access"]
          }
          return response.setHeader("content-type", "application/json").end(JSON.stringify(metadata))
        })
      )
      const report = yield* runDoctor(`${origin}/mcp`)
      const { verdict: found, why } = report.findings.find((_) => _.rule === "no-offline-access")!
      assert.strictEqual(found, "fail")
      assert.include(why, "in the challenge, http")
      assert.isUndefined(getVerdict(yield* runDoctor(`${origin}/mcp`, { revision: "2025-11-25" }), "no-offline-access"))
    }))
})

describe("a server that cannot be checked", () => {
  it.live("a closed port is reported as unreachable", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(runDoctor("http://127.0.0.1:9/mcp"))
      assert.strictEqual(error._tag, "Unreachable")
      assert.notInclude(error.message, "\n")
    }))

  it.live.each(["", "mcp", "file:///etc/passwd"])(
    "%j is rejected as the URL of an MCP server",
    (url) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(runDoctor(url)))._tag, "InvalidInput")
      })
  )
})

describe("challenges that the official clients read differently", () => {
  it.each([
    { header: `Bearer scope="a b", resource_metadata="https://s.test/m"`, differences: 0 },
    { header: `Bearer error="invalid_token", error_description="no scope=x", scope="a"`, differences: 1 },
    { header: `Bearer  scope="a"`, differences: 1 },
    { header: `Basic realm="x", Bearer scope="a"`, differences: 1 },
    { header: "Bearer", differences: 0 },
    { header: `Bearer scope="a`, differences: 1 }
  ])(
    "$header has $differences differences",
    ({ differences, header }) => assert.lengthOf(Challenge.describeDifferences(header), differences)
  )
})
