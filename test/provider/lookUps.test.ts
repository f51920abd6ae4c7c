import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AuthLayer, type Profile } from "effect-mcp-auth"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import type { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Fetcher } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"
import { authenticateToken, now, provider, resource } from "./harness.ts"

/** Creates a provider that sends this response to every request. */
const makeProvider = (answer: () => Response) =>
  Effect.tap(TestIssuer.make(), ({ issuer }) => issuer.respondWith("", answer))

/** Looks up a token at a provider that sends this response. */
const lookUpToken = (profile: Profile.Profile, token: string, answer: () => Response) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* makeProvider(answer)
    const outcome = yield* (profile.introspection as Introspection.ByLookUp<Fetcher.Fetcher>).lookUp(
      Redacted.make(token)
    ).pipe(
      Effect.provideService(Fetcher.Fetcher, HttpClientFetcher.make(client)),
      Effect.catch((error) => Effect.succeed(`${error._tag} ${error.reason}`))
    )
    return { outcome, sent: yield* issuer.requests }
  })

const makeGate = (profile: Profile.Profile, answer: () => Response) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now * 1000)
    const { client } = yield* makeProvider(answer)
    const services = yield* Layer.build(
      gateLayer({ authorizationServers: [profile], resource, scopes: ["read:user"] }).pipe(
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      )
    )
    return yield* Effect.provide(AuthLayer.AuthLayer, services)
  })

/** Sends a token to a gate whose provider sends this response. */
const sendToGate = (profile: Profile.Profile, token: string, answer: () => Response) =>
  Effect.flatMap(makeGate(profile, answer), (gate) => authenticateToken(gate, token))

const inactive = { active: false }
const unavailable = (reason: string) => `AuthorizationServerUnavailable ${reason}`

/** Responses from which the validity of a token cannot be determined, and the expected reason. */
const unusableResponses: ReadonlyArray<readonly [string, () => Response, string]> = [
  ["a response that rejects the credentials", () => new Response("", { status: 401 }), "client-rejected"],
  ["a response with status 403", () => new Response("", { status: 403 }), "client-rejected"],
  ["a response with status 429", () => new Response("", { status: 429 }), "server-error"],
  ["a response with status 502", () => new Response("", { status: 502 }), "server-error"],
  [
    "a redirect",
    () => new Response("", { status: 302, headers: { location: "https://evil.example" } }),
    "unusable-answer"
  ],
  ["a web page", () => new Response("<html>", { status: 200 }), "unusable-answer"],
  ["a list", () => Response.json([]), "unusable-answer"],
  ["a response that is too large", () => new Response("x".repeat(200_000), { status: 200 }), "unusable-answer"]
]

describe("the look-up of tokens at GitHub", () => {
  const profile = Profiles.github({ clientId: "Iv1.client", clientSecret: Redacted.make("s3cret") })
  const answer = {
    id: 1,
    app: { client_id: "Iv1.client", name: "Todos", url: "https://todos.example.com" },
    user: { login: "alice", id: 4711 },
    scopes: ["read:user", "repo"],
    expires_at: "2026-09-21T14:13:20Z"
  }

  it.effect("returns a response of RFC 7662 for a token of the application, and sends the token in the body", () =>
    Effect.gen(function*() {
      const { outcome, sent } = yield* lookUpToken(profile, "gho_abc", () => Response.json(answer))
      assert.deepStrictEqual(outcome, {
        active: true,
        iss: "https://github.com/login/oauth",
        client_id: "Iv1.client",
        sub: "4711",
        scope: "read:user repo",
        exp: Date.parse("2026-09-21T14:13:20Z") / 1000
      })
      assert.strictEqual(sent.length, 1)
      assert.strictEqual(sent[0]!.method, "POST")
      assert.strictEqual(sent[0]!.url, "https://api.github.com/applications/Iv1.client/token")
      assert.strictEqual(sent[0]!.headers["authorization"], `Basic ${btoa("Iv1.client:s3cret")}`)
      assert.deepStrictEqual(JSON.parse(sent[0]!.body), { access_token: "gho_abc" })
    }))

  it.effect("returns no exp for a token that does not expire", () =>
    Effect.gen(function*() {
      const { outcome } = yield* lookUpToken(profile, "gho_abc", () => Response.json({ ...answer, expires_at: null }))
      assert.isFalse(typeof outcome === "object" && "exp" in outcome)
    }))

  it.effect.each([
    { title: "unknown to the application", response: () => new Response("{}", { status: 404 }) },
    { title: "of another application", response: () => Response.json({ ...answer, app: { client_id: "other" } }) },
    { title: "without an application", response: () => Response.json({ ...answer, app: undefined }) },
    { title: "without a user", response: () => Response.json({ ...answer, user: null }) }
  ])("reports a token $title as inactive (T-CLAIM-07)", ({ response }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* lookUpToken(profile, "gho_abc", response)).outcome, inactive)
    }))

  it.effect.each(["ghp_personal", "ghs_installation", "github_pat_x", "eyJhbGciOiJub25lIn0.e30.", "gho_a b"])(
    "reports %s as inactive without a request, because it is not a token of an application",
    (token) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* lookUpToken(profile, token, () => Response.json(answer)), {
          outcome: inactive,
          sent: []
        })
      })
  )

  it.effect.each(unusableResponses)(
    "reports %s as an outage, not as an inactive token (T-INTR-04)",
    ([, response, reason]) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* lookUpToken(profile, "gho_abc", response)).outcome, unavailable(reason))
      })
  )

  it.effect("reports a request that GitHub rejects as malformed as an outage", () =>
    Effect.gen(function*() {
      const { outcome } = yield* lookUpToken(profile, "gho_abc", () => Response.json({}, { status: 422 }))
      assert.strictEqual(outcome, unavailable("unusable-answer"))
    }))
})

describe("the outcome of a GitHub token at the gate", () => {
  const profile = Profiles.github({ clientId: "c", clientSecret: Redacted.make("s") })
  const answer = { app: { client_id: "c" }, user: { id: 4711 }, scopes: ["read:user"], expires_at: null }

  it.effect.each([
    { title: "a token of the application", answer, outcome: { subject: "4711", clientId: "c", scopes: ["read:user"] } },
    {
      title: "a token of another application (T-CLAIM-07)",
      answer: { ...answer, app: { client_id: "d" } },
      outcome: "inactive"
    },
    { title: "an expired token", answer: { ...answer, expires_at: "2020-01-01T00:00:00Z" }, outcome: "expired" },
    { title: "an expires_at that is not a time", answer: { ...answer, expires_at: "soon" }, outcome: "expiry" },
    { title: "an expires_at of another type", answer: { ...answer, expires_at: {} }, outcome: "expiry" }
  ])("$title", ({ answer, outcome }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sendToGate(profile, "gho_abc", () => Response.json(answer)), outcome)
    }))

  it.effect.each(
    [
      { maxLifetime: undefined, seconds: 8 * 60 * 60 },
      { maxLifetime: "1 hour", seconds: 60 * 60 }
    ] as const
  )("a token that does not expire is valid for $seconds seconds", ({ maxLifetime, seconds }) =>
    Effect.gen(function*() {
      const limited = Profiles.github({ clientId: "c", clientSecret: Redacted.make("s"), maxLifetime })
      const gate = yield* makeGate(limited, () => Response.json(answer))
      const caller = yield* authenticate(gate, {
        method: "POST",
        header: () => undefined,
        authorization: ["Bearer gho_abc"]
      })
      assert.strictEqual(typeof caller === "string" ? caller : caller.expiresAt, now + seconds)
    }))
})

describe("the look-up of tokens at Google", () => {
  const client = "123.apps.googleusercontent.com"
  const profile = Profiles.google({ clientIds: [client] })
  const answer = {
    azp: client,
    aud: client,
    sub: "10769150350006150715113082367",
    scope: "openid https://www.googleapis.com/auth/userinfo.email",
    exp: String(now + 300),
    expires_in: "300",
    access_type: "online"
  }

  it.effect("returns a response of RFC 7662, and sends the token in a header, never in a URL", () =>
    Effect.gen(function*() {
      const { outcome, sent } = yield* lookUpToken(profile, "ya29.abc", () => Response.json(answer))
      assert.deepStrictEqual(outcome, {
        active: true,
        iss: "https://accounts.google.com",
        aud: client,
        azp: client,
        sub: "10769150350006150715113082367",
        scope: "openid https://www.googleapis.com/auth/userinfo.email",
        exp: now + 300
      })
      assert.strictEqual(sent[0]!.url, "https://oauth2.googleapis.com/tokeninfo")
      assert.strictEqual(sent[0]!.headers["authorization"], "Bearer ya29.abc")
      assert.notInclude(sent[0]!.body, "ya29")
    }))

  it.effect("reports a token that Google does not know as inactive", () =>
    Effect.gen(function*() {
      const { outcome } = yield* lookUpToken(
        profile,
        "ya29.abc",
        () => Response.json({ error: "invalid_token" }, { status: 400 })
      )
      assert.deepStrictEqual(outcome, inactive)
    }))

  it.effect.each(unusableResponses)(
    "reports %s as an outage, not as an inactive token (T-INTR-04)",
    ([, response, reason]) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* lookUpToken(profile, "ya29.abc", response)).outcome, unavailable(reason))
      })
  )

  it.effect("rejects an ID token of Google without fetching a key (T-CLAIM-05)", () =>
    Effect.gen(function*() {
      const { gate, issuer, sign } = yield* provider(profile)
      const claims = { iss: profile.issuer, aud: client, azp: client, sub: "1", scope: "openid", exp: now + 60 }
      assert.strictEqual(yield* authenticateToken(gate, yield* sign({ typ: "JWT" }, claims)), "token-type")
      assert.strictEqual(yield* authenticateToken(gate, yield* sign({ typ: "at+jwt" }, claims)), "token-type")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect.each([
    {
      title: "a token for the client is admitted",
      answer,
      outcome: { subject: answer.sub, clientId: client, scopes: answer.scope.split(" ") }
    },
    {
      title: "a token for another client is rejected (T-CLAIM-07)",
      answer: { ...answer, aud: "other", azp: "other" },
      outcome: "audience"
    },
    { title: "a token without an audience is rejected", answer: { ...answer, aud: undefined }, outcome: "audience" },
    { title: "a token without sub is rejected", answer: { ...answer, sub: undefined }, outcome: "subject" },
    { title: "an expired token is rejected", answer: { ...answer, exp: String(now) }, outcome: "expired" },
    { title: "a token without exp is rejected", answer: { ...answer, exp: undefined }, outcome: "expiry" }
  ])("determines the outcome at the gate: $title", ({ answer, outcome }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sendToGate(profile, "ya29.abc", () => Response.json(answer)), outcome)
    }))

  it.effect("reports an outage as the reason at the gate", () =>
    Effect.gen(function*() {
      const response = () => new Response("", { status: 502 })
      assert.strictEqual(yield* sendToGate(profile, "ya29.abc", response), "server-error")
    }))
})

describe("the binding of tokens", () => {
  it("is to the client if the provider names no resource", () => {
    for (
      const profile of [
        Profiles.github({ clientId: "c", clientSecret: Redacted.make("s") }),
        Profiles.google({ clientIds: ["c"] }),
        Profiles.cognito({ region: "eu-west-1", userPoolId: "p", clientIds: ["c"] }),
        Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["c"] }),
        Profiles.supabase({ url: "https://a.supabase.co", clientIds: ["c"] })
      ]
    ) {
      assert.strictEqual(profile.boundTo, "client", profile.name)
    }
    assert.strictEqual(Profiles.okta({ domain: "acme.okta.com", server: "s" }).boundTo, "resource")
    assert.strictEqual(Profiles.zitadel({ url: "https://a.example", projectId: "1" }).boundTo, "project")
  })
})
