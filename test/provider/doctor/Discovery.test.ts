/** Tests how the doctor finds metadata and reads headers, where official clients are more tolerant than the specification. */
import { assert, describe, it } from "@effect/vitest"
import { discoverOAuthProtectedResourceMetadata as discoverV2 } from "@modelcontextprotocol/client"
import { discoverOAuthProtectedResourceMetadata as discoverV1 } from "@modelcontextprotocol/sdk/client/auth.js"
import { Effect } from "effect"
import type { RequestHandler } from "express"
import { getFailures, getFinding, getVerdict, makeIssuer, runDoctor, serve } from "./servers.ts"

const wellKnown = "/.well-known/oauth-protected-resource/mcp"

const reject: RequestHandler = (_request, response) =>
  void response.status(401).setHeader("www-authenticate", "Bearer scope=\"todos:read\"").end()

describe("metadata of a protected resource", () => {
  it.live.each([301, 302, 307, 308])(
    "are found through a redirect with %d within the origin, as both official clients find them",
    (status) =>
      Effect.gen(function*() {
        const { issuer } = yield* makeIssuer
        const origin = yield* serve((app, origin) => {
          app.get(wellKnown, (_request, response) => response.redirect(status, "/metadata"))
          app.get("/metadata", (_request, response) =>
            void response.json({ resource: `${origin}/mcp`, authorization_servers: [issuer] }))
          app.post("/mcp", reject)
        })
        const url = `${origin}/mcp`
        for (const discover of [discoverV1, discoverV2]) {
          assert.strictEqual(
            (yield* Effect.promise(() =>
              discover(url)
            )).resource,
            url
          )
        }
        const report = yield* runDoctor(url)
        assert.strictEqual(getVerdict(report, "resource-metadata"), "pass")
        assert.strictEqual(getVerdict(report, "resource-identical"), "pass")
        assert.strictEqual(getVerdict(report, "resource-metadata-direct"), "fail")
        assert.include(
          getFinding(report, "resource-metadata-direct").why,
          `${origin}${wellKnown} redirects to ${origin}/metadata. Both official clients follow`
        )
      })
  )

  it.live("are named once if the challenge names the URL that clients derive from the endpoint", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app, origin) => {
        app.get(wellKnown, (_request, response) => response.redirect("/metadata"))
        app.get(
          "/metadata",
          (_request, response) => void response.json({ resource: `${origin}/mcp`, authorization_servers: [] })
        )
        app.post("/mcp", (_request, response) =>
          void response
            .status(401)
            .setHeader("www-authenticate", `Bearer resource_metadata="${origin}${wellKnown}"`)
            .end())
      })
      const { why } = getFinding(yield* runDoctor(`${origin}/mcp`), "resource-metadata-direct")
      assert.strictEqual(why, `${origin}${wellKnown} redirects to ${origin}/metadata. Both official clients follow`)
    }))

  it.live("are not found through a redirect to another origin, as both official clients do not find them", () =>
    Effect.gen(function*() {
      const other = yield* serve((app) => void app.use((_request, response) => void response.json({ resource: "x" })))
      const origin = yield* serve((app) => {
        app.get(wellKnown, (_request, response) => response.redirect(`${other}/metadata`))
        app.post("/mcp", reject)
      })
      for (const discover of [discoverV1, discoverV2]) {
        const found = yield* Effect.promise(() => discover(`${origin}/mcp`).then(() => true, () => false))
        assert.isFalse(found)
      }
      const report = yield* runDoctor(`${origin}/mcp`)
      assert.strictEqual(getVerdict(report, "resource-metadata"), "fail")
      assert.include(getFinding(report, "resource-metadata").why, `redirects to ${other}/metadata`)
    }))

  it.live("are not required by the official clients if the origin is an authorization server, and the report says both", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app, origin) => {
        app.get(
          "/.well-known/oauth-authorization-server",
          (_request, response) => void response.json({ issuer: origin, authorization_endpoint: `${origin}/authorize` })
        )
        app.post("/mcp", reject)
      })
      const report = yield* runDoctor(`${origin}/mcp`)
      assert.include(getFailures(report, "MUST"), "resource-metadata")
      assert.include(
        getFinding(report, "resource-metadata").why,
        `Both official clients then use ${origin} as the authorization server`
      )
    }))

  it.live.each(["", "/"])(
    "[T-AUD-31b] for a server without a path name the same resource with and without the slash: %j",
    (slash) =>
      Effect.gen(function*() {
        const { issuer, signIn } = yield* makeIssuer
        const origin = yield* serve((app, origin) => {
          app.get("/.well-known/oauth-protected-resource", (_request, response) =>
            void response.json({ resource: `${origin}${slash}`, authorization_servers: [issuer] }))
          app.post("/", reject)
        })
        for (const [url, other] of [[origin, `${origin}/`], [`${origin}/`, origin]] as const) {
          // The doctor does not take a token for this server as the token for another one.
          const error = yield* Effect.flip(runDoctor(url, { foreignToken: yield* signIn(other) }))
          assert.include(error.message, "which is this server")
          assert.strictEqual(getVerdict(yield* runDoctor(url), "resource-identical"), "pass")
        }
      })
  )

  it.live("for a resource that covers the URL are accepted by the official clients, and the report says both", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app, origin) => {
        app.get(wellKnown, (_request, response) => void response.json({ resource: origin, authorization_servers: [] }))
        app.post("/mcp", reject)
      })
      const report = yield* runDoctor(`${origin}/mcp`)
      assert.include(getFailures(report, "MUST"), "resource-identical")
      assert.match(
        getFinding(report, "resource-identical").why,
        /Both official clients accept it, and clients that follow the text stop/
      )
    }))
})

describe("a challenge behind Amazon API Gateway", () => {
  it.live("is reported as renamed, with its value and the change", () =>
    Effect.gen(function*() {
      const origin = yield* serve((app) =>
        void app.use((_request, response) =>
          void response.status(401).setHeader("x-amzn-remapped-www-authenticate", "Bearer scope=\"a\"").end()
        )
      )
      const { change, verdict, why } = getFinding(yield* runDoctor(`${origin}/mcp`), "challenge")
      assert.strictEqual(verdict, "fail")
      assert.include(
        why,
        "renamed WWW-Authenticate to x-amzn-remapped-www-authenticate, which no client reads: Bearer scope=\"a\""
      )
      assert.include(change!, "Use an HTTP API")
    }))
})

describe("the preflight of the doctor", () => {
  const allowed = { "access-control-allow-origin": "*" }

  /** Runs the doctor against a server that answers preflights with these headers. Returns the finding and the request. */
  const runPreflight = (
    status: number,
    headers: Readonly<Record<string, string>>,
    revision: "2026-07-28" | "2025-11-25"
  ) =>
    Effect.gen(function*() {
      const requests: Array<Readonly<Record<string, unknown>>> = []
      const origin = yield* serve((app) => {
        app.options("/mcp", (request, response) => {
          requests.push(request.headers)
          response.status(status).set(headers).end()
        })
        app.use("/mcp", (_request, response, next) => {
          response.set({ ...allowed, "access-control-expose-headers": "WWW-Authenticate" })
          next()
        }, reject)
      })
      const report = yield* runDoctor(`${origin}/mcp`, { revision })
      assert.strictEqual(getVerdict(report, "cors-challenge"), "pass")
      return { finding: getFinding(report, "cors-preflight"), request: requests[0]! }
    })

  it.live.each(
    [
      ["2026-07-28", "authorization,content-type,mcp-method,mcp-name,mcp-protocol-version"],
      ["2025-11-25", "authorization,content-type,mcp-protocol-version,mcp-session-id"]
    ] as const
  )("is that of a browser, MCP %s", ([revision, names]) =>
    Effect.gen(function*() {
      const { finding, request } = yield* runPreflight(
        204,
        { ...allowed, "access-control-allow-headers": names },
        revision
      )
      assert.strictEqual(finding.verdict, "pass")
      assert.deepInclude(request, {
        origin: "https://browser-client.example",
        accept: "*/*",
        "access-control-request-method": "POST",
        "access-control-request-headers": names,
        "sec-fetch-mode": "cors"
      })
      assert.notProperty(request, "authorization")
      assert.notProperty(request, "content-type")
    }))

  it.live.each(
    [
      ["without a header that clients send", 204, {
        ...allowed,
        "access-control-allow-headers": "authorization, content-type"
      }, /does not allow mcp-/],
      [
        "with * instead of authorization",
        204,
        { ...allowed, "access-control-allow-headers": "*" },
        /does not allow authorization$/
      ],
      [
        "with the status 404",
        404,
        { ...allowed, "access-control-allow-headers": "authorization" },
        /returns 404 for the preflight|does not allow/
      ],
      ["with a redirect", 302, { ...allowed, location: "/login" }, /returns 302 for the preflight/],
      ["without an allowed origin", 204, {}, /without Access-Control-Allow-Origin/]
    ] as const
  )("fails if it is answered %s", ([, status, headers, why]) =>
    Effect.gen(function*() {
      const { finding } = yield* runPreflight(status, headers, "2026-07-28")
      assert.strictEqual(finding.verdict, "fail")
      assert.match(finding.why, why)
    }))
})
