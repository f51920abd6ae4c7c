import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { AuthError } from "effect-mcp-auth"
import { Rejection } from "effect-mcp-auth/host"
import { Challenge } from "effect-mcp-auth/protocol"
import * as Hostile from "../protocol/Hostile.ts"
import { metadataUrl, principal, protectedResource } from "./support.ts"

const anonymous: Rejection.Circumstances = { principal: undefined, protocolVersion: undefined }

const rejections = (challengeScopes: Rejection.ChallengeScopes = "auto") =>
  Rejection.make(protectedResource(), challengeScopes)

const invalidToken = "The access token is expired, revoked, malformed or not issued for this server"
const lacksScope = "The access token lacks a scope that this operation needs"
const unavailable = "Access tokens cannot be checked at the moment; try again later"
const exposed = { "access-control-expose-headers": "WWW-Authenticate" }
const noStore = { "cache-control": "no-store" }
const json = { "content-type": "application/json" }

interface Row {
  readonly title: string
  readonly error: AuthError.AuthError
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, string>> | ""
}

const malformed = (
  reason: AuthError.MalformedRequest["reason"],
  status: number,
  challenged: boolean,
  title = `a request that is malformed: ${reason}`
): Row => {
  const error = new AuthError.MalformedRequest({ reason })
  return {
    title,
    error,
    status,
    headers: challenged
      ? {
        ...noStore,
        ...exposed,
        ...json,
        "www-authenticate":
          `Bearer error="invalid_request", resource_metadata="${metadataUrl}", error_description="${error.message}"`
      }
      : { ...noStore, ...json },
    body: { error: "invalid_request", error_description: error.message }
  }
}

const rows: ReadonlyArray<Row> = [
  ...(["no-authorization", "other-scheme"] as const).map((reason): Row => ({
    title: `HDR-01 HDR-09 CHAL-02 no credentials (${reason}): 401, no error, no body`,
    error: new AuthError.MissingCredentials({ reason }),
    status: 401,
    headers: {
      ...noStore,
      ...exposed,
      "www-authenticate": `Bearer scope="todos:read", resource_metadata="${metadataUrl}"`
    },
    body: ""
  })),
  malformed("no-token", 400, true, "HDR-03 a scheme without a token: 400"),
  malformed("not-token68", 400, true, "HDR-04 no token68: 400"),
  malformed("several-authorization-headers", 400, true, "HDR-12 two Authorization lines: 400"),
  malformed("not-json", 400, false),
  malformed("state", 400, false),
  malformed("content-type", 415, false, "MCP-07 another content type: 415, no challenge"),
  malformed("too-large", 413, false),
  ...AuthError.reasons.InvalidToken.map((reason): Row => ({
    title: `CHAL-10 CHAL-17 a bad token (${reason}): 401, without the reason`,
    error: new AuthError.InvalidToken({ reason }),
    status: 401,
    headers: {
      ...noStore,
      ...exposed,
      ...json,
      "www-authenticate":
        `Bearer error="invalid_token", scope="todos:read", resource_metadata="${metadataUrl}", error_description="${invalidToken}"`
    },
    body: { error: "invalid_token", error_description: invalidToken }
  })),
  {
    title: "CHAL-03 SCOPE-20 a missing scope: 403 with every scope of the operation, offered at sign-in or not",
    error: new AuthError.InsufficientScope({ reason: "missing-scope", required: ["todos:write", "todos:admin"] }),
    status: 403,
    headers: {
      ...noStore,
      ...exposed,
      ...json,
      "www-authenticate":
        `Bearer error="insufficient_scope", scope="todos:write todos:admin", resource_metadata="${metadataUrl}", error_description="${lacksScope}"`
    },
    body: { error: "insufficient_scope", error_description: lacksScope, scope: "todos:write todos:admin" }
  },
  {
    title: "an operation without scopes where these are rejected: 403 without a challenge",
    error: new AuthError.InsufficientScope({ reason: "unlisted", required: [] }),
    status: 403,
    headers: { ...noStore, ...json },
    body: {
      error: "access_denied",
      error_description: "This server rejects operations for which no scopes are configured"
    }
  },
  ...(["timeout", "server-error", "network", "cooling-down", "keys-cooling-down", "overloaded"] as const).map((
    reason
  ): Row => ({
    title: `CHAL-08 an unavailable authorization server (${reason}): 503 with Retry-After and no challenge`,
    error: new AuthError.AuthorizationServerUnavailable({ reason, issuer: "https://issuer.test", retryAfter: 17 }),
    status: 503,
    headers: { ...noStore, ...json, "retry-after": "17" },
    body: { error: "temporarily_unavailable", error_description: unavailable }
  })),
  {
    title: "CHAL-08 useless metadata of the authorization server: 503, without the detail",
    error: new AuthError.InvalidMetadata({
      reason: "wrong-issuer",
      issuer: "https://issuer.test",
      detail: "https://issuer.test/.well-known/x names https://internal.test"
    }),
    status: 503,
    headers: { ...noStore, ...json, "retry-after": "30" },
    body: { error: "temporarily_unavailable", error_description: unavailable }
  },
  {
    title: "CHAL-08 a misconfiguration: 500 without a challenge, and without the option",
    error: new AuthError.AuthConfigError({ reason: "conflict", option: "jwks", fix: "secret detail" }),
    status: 500,
    headers: { ...noStore, ...json },
    body: {
      error: "server_error",
      error_description: "The server cannot check access tokens because of an internal error"
    }
  }
]

describe("Rejection", () => {
  it.each(rows)("$title", ({ body, error, headers, status }) => {
    const rejection = rejections().forError(error, anonymous)
    assert.strictEqual(rejection.status, status)
    assert.deepStrictEqual({ ...rejection.headers }, { ...headers })
    assert.deepStrictEqual(rejection.body === "" ? "" : JSON.parse(rejection.body), body)
    // The error is kept for the log of the operator. It is not part of the response.
    assert.strictEqual(rejection.error, error)
    assert.strictEqual(rejection.reason, error.reason)
  })

  it.each(rows)("returns the same rejection a second time: $title", ({ error }) => {
    const all = rejections()
    const { error: _, ...first } = all.forError(error, anonymous)
    const { error: __, ...second } = all.forError(error, anonymous)
    assert.deepStrictEqual(first, second)
  })

  it("MCP-09 an Origin that is not allowed: 403 without a challenge", () => {
    const { body, headers, status } = Rejection.foreignOrigin
    assert.strictEqual(status, 403)
    assert.deepStrictEqual({ ...headers }, { ...noStore, ...json })
    assert.deepStrictEqual(JSON.parse(body), {
      error: "invalid_request",
      error_description: "Requests from this origin are not allowed"
    })
  })

  it("SESS-01 the session of another caller: 404, empty", () => {
    const { body, headers, status } = Rejection.unknownSession
    assert.strictEqual(status, 404)
    assert.deepStrictEqual({ ...headers }, { ...noStore })
    assert.strictEqual(body, "")
  })

  it("the challenge for an anonymous caller names the required scopes and the baseline", () => {
    const { body, headers, status } = rejections().signIn(["todos:write"])
    assert.strictEqual(status, 401)
    assert.strictEqual(
      headers["www-authenticate"],
      `Bearer scope="todos:read todos:write", resource_metadata="${metadataUrl}"`
    )
    assert.strictEqual(body, "")
  })

  it.each<{
    readonly mode: Rejection.ChallengeScopes
    readonly version: string | undefined
    readonly scopes: string
  }>([
    { mode: "auto", version: "2026-07-28", scopes: "todos:write" },
    { mode: "auto", version: "2027-01-01", scopes: "todos:write" },
    { mode: "auto", version: "2025-11-25", scopes: "todos:write todos:read" },
    { mode: "auto", version: "2025-03-26", scopes: "todos:write todos:read" },
    { mode: "auto", version: undefined, scopes: "todos:write todos:read" },
    { mode: "required", version: "2026-07-28", scopes: "todos:write" },
    { mode: "required", version: "2025-11-25", scopes: "todos:write" },
    { mode: "required", version: undefined, scopes: "todos:write" },
    { mode: "required-and-granted", version: "2026-07-28", scopes: "todos:write todos:read" },
    { mode: "required-and-granted", version: "2025-11-25", scopes: "todos:write todos:read" }
  ])("SCOPE-09 challengeScopes $mode, revision $version: the challenge names $scopes", ({ scopes, mode, version }) => {
    const error = new AuthError.InsufficientScope({ reason: "missing-scope", required: ["todos:write"] })
    // The token has one scope that this server offers, and two that it does not offer.
    const caller = principal({ scopes: ["todos:read", "openid", "offline_access"] })
    const { headers } = rejections(mode).forError(error, { principal: caller, protocolVersion: version })
    const [challenge] = Result.getOrThrow(Challenge.parse(headers["www-authenticate"]!))
    assert.strictEqual(challenge?.parameters.get("scope"), scopes)
  })

  it("the challenge repeats granted scopes, and not the scopes that they imply", () => {
    const error = new AuthError.InsufficientScope({ reason: "missing-scope", required: ["todos:admin"] })
    const caller = { ...principal({ scopes: ["todos:write"] }), scopes: new Set(["todos:write", "todos:read"]) }
    const { headers } = rejections().forError(error, { principal: caller, protocolVersion: undefined })
    assert.include(headers["www-authenticate"], "scope=\"todos:admin todos:write\"")
  })

  it.prop(
    "CHAL-05 the challenge is one line of printable characters for any granted scopes",
    { granted: Hostile.text },
    ({ granted }) => {
      const error = new AuthError.InsufficientScope({ reason: "missing-scope", required: ["todos:write"] })
      const caller = principal({ scopes: granted.split(" ") })
      const { headers } = rejections().forError(error, { principal: caller, protocolVersion: undefined })
      assert.match(headers["www-authenticate"]!, /^[\x20-\x7e]+$/)
      assert.isTrue(Result.isSuccess(Challenge.parse(headers["www-authenticate"]!)))
    },
    { arbitrary: { runs: 200 } }
  )
})
