import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Logger, References, Result, Schema } from "effect"
import { Audience, AuthError, TokenType, TokenVerifier } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { Introspection } from "effect-mcp-auth/introspection"
import { DpopClient, Forgery } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import * as Caller from "../../src/authorization/Caller.ts"
import { authenticate } from "./steps.ts"
import { bearer, gate, listening, rejected, request } from "./support.ts"

/** One error for each reason, with placeholders for the other members. */
const errors: ReadonlyArray<AuthError.AuthError> = [
  ...AuthError.reasons.MissingCredentials.map((reason) => new AuthError.MissingCredentials({ reason })),
  ...AuthError.reasons.MalformedRequest.map((reason) => new AuthError.MalformedRequest({ reason })),
  ...AuthError.reasons.InvalidToken.map((reason) => new AuthError.InvalidToken({ reason })),
  ...AuthError.reasons.InvalidDpopProof.map((reason) => new AuthError.InvalidDpopProof({ reason })),
  ...AuthError.reasons.ReplayStoreUnavailable.map((reason) =>
    new AuthError.ReplayStoreUnavailable({ reason, retryAfter: 1 })
  ),
  ...AuthError.reasons.RevocationStoreUnavailable.map((reason) =>
    new AuthError.RevocationStoreUnavailable({ reason, retryAfter: 1 })
  ),
  ...AuthError.reasons.InsufficientScope.map((reason) => new AuthError.InsufficientScope({ reason, required: [] })),
  ...AuthError.reasons.AccessDenied.map((reason) => new AuthError.AccessDenied({ reason, failed: [] })),
  ...AuthError.reasons.AuthorizationServerUnavailable.map((reason) =>
    new AuthError.AuthorizationServerUnavailable({ reason, issuer: "https://issuer.test", retryAfter: 1 })
  ),
  ...AuthError.reasons.InvalidMetadata.map((reason) =>
    new AuthError.InvalidMetadata({ reason, issuer: "https://issuer.test", detail: "it" })
  ),
  ...AuthError.reasons.AuthConfigError.map((reason) =>
    new AuthError.AuthConfigError({ reason, option: "resource", fix: "correct it" })
  )
]

describe("the explanation of a rejection", () => {
  it.effect("advises the operator in one line of the log, for every reason", () =>
    Effect.gen(function*() {
      const { explanations, layer, lines } = listening()
      const { gate: made } = yield* gate()
      yield* Effect.forEach(
        errors,
        (error) => rejected(Effect.withFiber((fiber) => made.reject(Caller.unknown(fiber), error)))
      ).pipe(Effect.provide(layer))
      assert.strictEqual(lines.length, errors.length)
      for (const [index, { reason }] of errors.entries()) {
        assert.deepStrictEqual(lines[index]!.message, [
          `request rejected with ${lines[index]!.annotations["status"]}: ${reason}`
        ])
        const { advice } = explanations[index]!
        assert.match(String(advice), /^[A-Z].{20,}$/, reason)
        assert.notInclude(String(advice), "reference", reason)
      }
    }))

  it.effect.each<[code: string, advice: string]>([
    ["SELF_SIGNED_CERT_IN_CHAIN", "NODE_EXTRA_CA_CERTS"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "NODE_EXTRA_CA_CERTS"],
    ["CERT_HAS_EXPIRED", "Renew the certificate"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "as in its certificate"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "does not speak TLS"],
    ["ENOTFOUND", "DNS"],
    ["EAI_AGAIN", "DNS"],
    ["ECONNREFUSED", "No process listens"],
    ["ERR_BAD_PORT", "fetch sends no requests to this port"],
    ["ConnectionRefused", "No process listens"],
    ["CERT_NOT_YET_VALID", "clock of this machine"],
    ["CERT_REVOKED", "Do not trust it"],
    ["HOSTNAME_MISMATCH", "as in its certificate"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "requires a certificate of its clients"],
    ["UND_ERR_CONNECT_TIMEOUT", "NODE_USE_ENV_PROXY"]
  ])("names what to change if a connection fails with %s", ([code, advice]) =>
    Effect.gen(function*() {
      const { explanations, layer, lines } = listening()
      const { gate: made } = yield* gate()
      const error = new AuthError.AuthorizationServerUnavailable({
        reason: "network",
        issuer: "https://issuer.test",
        retryAfter: 1,
        code
      })
      yield* rejected(Effect.withFiber((fiber) => made.reject(Caller.unknown(fiber), error))).pipe(
        Effect.provide(layer)
      )
      assert.include(explanations[0]!["advice"], advice)
      assert.include(lines[0]!.annotations["error"], code)
    }))

  it.effect("does not blame the authorization server for another component", () =>
    Effect.gen(function*() {
      const { explanations, layer, lines } = listening()
      const { gate: made } = yield* gate()
      const error = new AuthError.AuthorizationServerUnavailable({
        reason: "timeout",
        issuer: "acme",
        retryAfter: 1,
        component: "The tenant look-up for"
      })
      yield* rejected(Effect.withFiber((fiber) => made.reject(Caller.unknown(fiber), error))).pipe(
        Effect.provide(layer)
      )
      assert.strictEqual(lines[0]!.annotations["error"], "The tenant look-up for acme did not answer in time (timeout)")
      assert.include(explanations[0]!["advice"], "The authorization server is not involved")
    }))

  /** The comparison that is logged for a token. */
  const compared = Effect.fnUntraced(function*(
    options: Parameters<typeof gate>[0],
    mint: (issuer: Effect.Success<ReturnType<typeof gate>>["issuer"]) => Effect.Effect<string>
  ) {
    const { explanations, layer, lines } = listening()
    const { gate: made, issuer } = yield* gate(options)
    const token = yield* mint(issuer)
    yield* rejected(authenticate(made, bearer(token))).pipe(Effect.provide(layer))
    const text = JSON.stringify([lines, explanations])
    for (const segment of token.split(".").filter((_) => _.length > 20)) assert.notInclude(text, segment)
    return {
      reason: lines[0]!.annotations["reason"],
      checked: explanations[0]!["checked"],
      expected: explanations[0]!["expected"],
      received: explanations[0]!["receivedUnverified"]
    }
  })

  it.effect("compares the audience", () =>
    Effect.gen(function*() {
      const mint =
        (audience: string | ReadonlyArray<string>) => (issuer: { mint: (_: object) => Effect.Effect<string> }) =>
          issuer.mint({ audience })
      assert.deepStrictEqual(yield* compared({}, mint("https://other.test/mcp")), {
        reason: "audience",
        checked: "aud",
        expected: "\"https://server.test/mcp\"",
        received: "aud \"https://other.test/mcp\""
      })
      const rule = Audience.all([Audience.oneOf(["api://todos"]), Audience.clientIds(["web"])])
      assert.deepStrictEqual(yield* compared({ audience: rule }, mint(["a", "b"])), {
        reason: "audience",
        checked: "aud",
        expected: "\"api://todos\" and a token of the client \"web\"",
        received: "aud \"a\", \"b\", client_id \"client-1\""
      })
      const project = Audience.claim("project", ["todos"])
      assert.deepStrictEqual(
        yield* compared(
          { audience: project },
          (issuer) => issuer.mint({ claims: { project: "other", aud: undefined } })
        ),
        { reason: "audience", checked: "project", expected: "project \"todos\"", received: "project \"other\"" }
      )
    }))

  it.effect("compares issuer, algorithm, key, type, times and types of claims", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* compared({}, (_) => _.mint({ claims: { iss: "https://issuer.test/" } })), {
        reason: "unknown-issuer",
        checked: "iss",
        expected: "\"https://issuer.test\"",
        received: "\"https://issuer.test/\""
      })
      const key = yield* compared({}, (_) => _.mintBroken("attacker-other-kid"))
      assert.deepStrictEqual([key.reason, key.checked], ["unknown-key", "kid"])
      assert.match(String(key.expected), /^a key of https:\/\/issuer\.test: "[\w-]+"$/)
      const type = yield* compared(
        { tokenType: TokenType.strict },
        (_) => _.mint({ header: { typ: "JWT" } })
      )
      assert.deepStrictEqual([type.reason, type.checked, type.expected], ["token-type", "typ", "at+jwt"])
      assert.include(type.received, "\"JWT\"")
      const expired = yield* compared({}, (_) => _.mint({ expiresIn: "-1 minute" }))
      assert.deepStrictEqual([expired.reason, expired.checked], ["expired", "exp"])
      assert.match(String(expired.expected), /^after \d{4}-.*Z, with a tolerance of 0 s$/)
      assert.match(String(expired.received), /^\d{4}-.*Z$/)
      assert.deepStrictEqual(yield* compared({}, (_) => _.mint({ claims: { scope: 7 } })), {
        reason: "scope",
        checked: "scope, scp",
        expected: "scope: string-or-list, scp: string-or-list",
        received: "scope: a number, scp: missing"
      })
    }))

  it.effect("names the paths and types of claims that the author's schema rejects, and never their values", () =>
    Effect.gen(function*() {
      class Own extends Context.Service<Own, unknown>()("test/Own") {}
      const schema = Schema.Struct({ team: Schema.Struct({ name: Schema.String, size: Schema.Int }) })
      const claims = { team: { name: ["secret-name"], size: "secret-size" } }
      const ofEffect = yield* compared(
        { claims: { service: Own as never, decode: Schema.decodeUnknownResult(schema, { errors: "all" }) } },
        (_) => _.mint({ claims })
      )
      const standard = (value: unknown) =>
        Result.fail({ issues: [{ message: "no", path: ["team", { key: "name" }] }], value })
      const ofStandard = yield* compared(
        { claims: { service: Own as never, decode: standard } },
        (_) => _.mint({ claims })
      )
      assert.deepStrictEqual([ofEffect, ofStandard], [
        {
          reason: "claims",
          checked: "team.name, team.size",
          expected: undefined,
          received: "team.name: a list, team.size: a string"
        },
        { reason: "claims", checked: "team.name", expected: undefined, received: "team.name: a list" }
      ])
    }))

  it.effect("compares the claims of an introspection response, because an opaque token contains none", () =>
    Effect.gen(function*() {
      const { explanations, layer } = listening()
      const { gate: made } = yield* gate({
        authorizationServers: [{
          issuer: "https://issuer.test",
          introspection: Introspection.lookUp(() =>
            Effect.succeed({ active: true, sub: "alice", aud: "https://other.test", exp: 4_000_000_000 })
          )
        }]
      })
      yield* rejected(authenticate(made, bearer("opaque"))).pipe(Effect.provide(layer))
      assert.deepInclude(explanations[0]!, {
        checked: "aud",
        expected: "\"https://server.test/mcp\"",
        receivedUnverified: "aud \"https://other.test\""
      })
    }))

  it.effect("compares the Origin", () =>
    Effect.gen(function*() {
      const { explained, layer } = listening()
      const { gate: made } = yield* gate({ allowedOrigins: ["https://app.test"] })
      yield* rejected(authenticate(made, request({ origin: "https://evil.test" }))).pipe(Effect.provide(layer))
      assert.deepStrictEqual(explained, [{
        checked: "Origin",
        expected: "\"https://server.test\", \"https://app.test\"",
        receivedUnverified: "\"https://evil.test\"",
        advice: "If you trust the web page, add its origin to allowedOrigins. For the origin null, see allowNullOrigin"
      }])
    }))

  it.effect("names null and the function among the allowed origins", () =>
    Effect.gen(function*() {
      const { explained, layer } = listening()
      const { gate: made } = yield* gate({ allowedOrigins: () => false, allowNullOrigin: true })
      yield* rejected(authenticate(made, request({ origin: "https://evil.test" }))).pipe(Effect.provide(layer))
      assert.strictEqual(
        explained[0]?.expected,
        "\"https://server.test\", \"null\", or an origin for which allowedOrigins returns true"
      )
    }))

  it.effect("names allowedOrigins in the cause if the function returns no boolean", () =>
    Effect.gen(function*() {
      const causes: Array<string> = []
      const logger = Logger.make(({ cause }) => void causes.push(Cause.pretty(cause)))
      const { gate: made } = yield* gate({ allowedOrigins: (async () => true) as never })
      const rejection = yield* rejected(authenticate(made, request({ origin: "https://evil.test" }))).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.deepStrictEqual([rejection.status, rejection.reason], [500, "broken"])
      assert.match(causes.join(), /allowedOrigins: a promise is not a boolean/)
    }))

  it.effect("[T-AUD-14g] is one bounded line without control characters and without a part of the token, for every forgery", () =>
    Effect.gen(function*() {
      const { explanations, layer, lines } = listening()
      const { gate: made, issuer } = yield* gate()
      for (const kind of Forgery.kinds) {
        const token = yield* issuer.mintBroken(kind)
        yield* rejected(authenticate(made, bearer(token))).pipe(Effect.provide(layer))
        const text = JSON.stringify([lines.at(-1), explanations.at(-1)])
        assert.isBelow(text.length, 2_000, kind)
        assert.notMatch(text, /\p{Cc}/u, kind)
        for (const segment of token.split(".").filter((_) => _.length > 20)) assert.notInclude(text, segment, kind)
      }
      assert.strictEqual(lines.length, Forgery.kinds.length)
    }))

  it.effect.each<[htu: unknown, received: string]>([
    ["https://user:secret@server.test/other?secret#secret", "\"https://server.test/other\""],
    ["https:user:secret@server.test/other", "\"server.test/other\""],
    ["https://server.test/@name/other", "\"https://server.test/@name/other\""],
    [["https://server.test/other?secret"], "a list"],
    [{ secret: "secret" }, "an object"]
  ])("shows no secret of the URL of a proof, also if it is %j", ([htu, received]) =>
    Effect.gen(function*() {
      const { explanations, layer, lines } = listening()
      const { gate: made, issuer } = yield* gate({ dpop: Dpop.required() })
      const client = yield* DpopClient.make()
      const token = yield* issuer.mint({ boundTo: client.thumbprint })
      const proof = yield* client.proof({ method: "POST", url: "https://server.test/mcp", token, claims: { htu } })
      yield* rejected(authenticate(made, {
        ...request({}, [`DPoP ${token}`]),
        dpop: [proof],
        host: ["server.test"],
        path: "/mcp\",\"x?secret"
      })).pipe(Effect.provide(layer))
      assert.deepInclude(explanations[0]!, {
        checked: "htu",
        expected: "the URL of the request: \"https://server.test/mcp\\\",\\\"x\"",
        receivedUnverified: received
      })
      assert.notInclude(JSON.stringify([lines, explanations]), "secret")
    }))

  it.effect.each<[options: Parameters<typeof gate>[0], expected: string]>([
    [{}, "Bearer"],
    [{ dpop: Dpop.optional() }, "Bearer or DPoP"],
    [{ dpop: Dpop.required() }, "DPoP"]
  ])("names the schemes that a server accepts: $1", ([options, expected]) =>
    Effect.gen(function*() {
      const { explanations, layer } = listening()
      const { gate: made } = yield* gate(options)
      yield* rejected(authenticate(made, request({}, ["Basic dXNlcjpwYXNz"]))).pipe(Effect.provide(layer))
      assert.deepInclude(explanations[0]!, { expected, receivedUnverified: "basic" })
    }))

  it.effect("never shows a token that a client sends without a scheme, or as a scheme", () =>
    Effect.gen(function*() {
      const { explained, explanations, layer, lines } = listening()
      const { gate: made, issuer } = yield* gate()
      const token = yield* issuer.mint()
      for (const value of [token, `${token} x`, `Token ${token}`, `bearer${token}`]) {
        yield* rejected(authenticate(made, request({}, [value]))).pipe(Effect.provide(layer))
      }
      const text = JSON.stringify([explained, explanations, lines])
      for (const segment of token.split(".")) assert.notInclude(text, segment)
      assert.strictEqual(lines.length, 4)
    }))

  it.effect("contains only advice with details: false", () =>
    Effect.gen(function*() {
      const { explained, explanations, layer } = listening()
      const { gate: made, issuer } = yield* gate({ decisions: { details: false } })
      const token = yield* issuer.mint({ audience: "https://other.test" })
      yield* rejected(authenticate(made, bearer(token))).pipe(Effect.provide(layer))
      assert.deepStrictEqual([explanations, explained].map(([_]) => Object.keys(_!)), [["advice"], ["advice"]])
    }))
})

describe("the log of rejections", () => {
  it.effect("[T-AUD-14h] has a limited number of lines per minute for each reason, and counts the others", () =>
    Effect.gen(function*() {
      const { decisions, layer, lines } = listening()
      const { gate: made } = yield* gate({ decisions: { linesPerMinute: 3 } })
      const send = (token: string) => rejected(authenticate(made, bearer(token))).pipe(Effect.provide(layer))
      for (let sent = 0; sent < 10; sent++) yield* send("malformed")
      yield* send(`e${"x".repeat(20_000)}`)
      assert.deepStrictEqual(lines.map((_) => [_.annotations["reason"], _.annotations["linesPerMinute"]]), [
        ["malformed", undefined],
        ["malformed", undefined],
        ["malformed", 3],
        ["too-large", undefined]
      ])
      yield* TestClock.adjust("59 seconds")
      yield* send("malformed")
      assert.strictEqual(lines.length, 4)
      yield* TestClock.adjust("1 second")
      yield* send("malformed")
      yield* send("malformed")
      assert.deepStrictEqual(lines.slice(4).map((_) => _.annotations["suppressed"]), [8, undefined])
      assert.strictEqual(decisions.length, 14)
    }))

  it.effect("has one shape in JSON: the message is a text, also with a cause", () =>
    Effect.gen(function*() {
      const texts: Array<string> = []
      const { gate: made, issuer } = yield* gate({
        verifier: () => TokenVerifier.make(() => Effect.die(new Error("defect")))
      })
      const json = Logger.layer([Logger.map(Logger.formatJson, (text) => void texts.push(text))])
      yield* rejected(authenticate(made, request())).pipe(
        Effect.andThen(Effect.flatMap(issuer.mint(), (token) => rejected(authenticate(made, bearer(token))))),
        Effect.provide(json),
        Effect.provideService(References.MinimumLogLevel, "All")
      )
      const entries = texts.map((_) => JSON.parse(_))
      assert.deepStrictEqual(entries.map((_) => _.message), [
        "request rejected with 401: no-authorization",
        "request rejected with 500: broken"
      ])
      assert.include(entries[1].cause, "defect")
    }))
})
