import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "effect/http"
import { judge, now, provider } from "./harness.ts"

interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): string =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""

/** Asks with a provider that answers so. */
const asked = (profile: Profile.Profile, token: string, answer: () => Response) =>
  Effect.gen(function*() {
    const sent: Array<Sent> = []
    const client = HttpClient.make((request, url) =>
      Effect.sync(() => {
        sent.push({ method: request.method, url: url.href, headers: { ...request.headers }, body: bodyOf(request) })
        return HttpClientResponse.fromWeb(request, answer())
      })
    )
    const outcome = yield* profile.opaque.lookUp!(Redacted.make(token)).pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.catch((error) => Effect.succeed(`${error._tag} ${error.reason}`))
    )
    return { outcome, sent }
  })

const inactive = { active: false }
const unavailable = "AuthorizationServerUnavailable server-error"

/** What no provider may be understood by. */
const trouble: ReadonlyArray<readonly [string, () => Response]> = [
  ["our credentials refused", () => new Response("", { status: 401 })],
  ["forbidden", () => new Response("", { status: 403 })],
  ["too many requests", () => new Response("", { status: 429 })],
  ["an error of the server", () => new Response("", { status: 502 })],
  ["a redirect", () => new Response("", { status: 302, headers: { location: "https://evil.example" } })],
  ["HTML", () => new Response("<html>", { status: 200 })],
  ["a list", () => Response.json([])],
  ["an endless answer", () => new Response("x".repeat(200_000), { status: 200 })]
]

describe("GitHub", () => {
  const profile = Profiles.github({ clientId: "Iv1.client", clientSecret: Redacted.make("s3cret") })
  const answer = {
    id: 1,
    app: { client_id: "Iv1.client", name: "Todos", url: "https://todos.example.com" },
    user: { login: "alice", id: 4711 },
    scopes: ["read:user", "repo"],
    expires_at: "2026-09-21T14:13:20Z"
  }

  it.effect("a token of the application, in the words of RFC 7662; the token travels in the body", () =>
    Effect.gen(function*() {
      const { outcome, sent } = yield* asked(profile, "gho_abc", () => Response.json(answer))
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

  it.effect("a token that never ends says nothing about its end", () =>
    Effect.gen(function*() {
      const { outcome } = yield* asked(profile, "gho_abc", () => Response.json({ ...answer, expires_at: null }))
      assert.isFalse(typeof outcome === "object" && "exp" in outcome)
    }))

  it.effect.each([
    { title: "unknown to the application", response: () => new Response("{}", { status: 404 }) },
    { title: "of another application", response: () => Response.json({ ...answer, app: { client_id: "other" } }) },
    { title: "of no application", response: () => Response.json({ ...answer, app: undefined }) },
    { title: "of nobody", response: () => Response.json({ ...answer, user: null }) }
  ])("a token $title is inactive (T-CLAIM-07)", ({ response }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* asked(profile, "gho_abc", response)).outcome, inactive)
    }))

  it.effect.each(["ghp_personal", "ghs_installation", "github_pat_x", "eyJhbGciOiJub25lIn0.e30.", "gho_a b"])(
    "%s is no token of an application, and goes nowhere",
    (token) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* asked(profile, token, () => Response.json(answer)), {
          outcome: inactive,
          sent: []
        })
      })
  )

  it.effect.each(trouble)("%s is an outage, not a verdict (T-INTR-04)", ([, response]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* asked(profile, "gho_abc", response)).outcome, unavailable)
    }))

  it.effect("a request that GitHub cannot read is an outage", () =>
    Effect.gen(function*() {
      const { outcome } = yield* asked(profile, "gho_abc", () => Response.json({}, { status: 422 }))
      assert.strictEqual(outcome, unavailable)
    }))
})

describe("Google", () => {
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

  it.effect("a token, in the words of RFC 7662; it travels in a header, never in a URL", () =>
    Effect.gen(function*() {
      const { outcome, sent } = yield* asked(profile, "ya29.abc", () => Response.json(answer))
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

  it.effect("a token that Google does not know is inactive", () =>
    Effect.gen(function*() {
      const { outcome } = yield* asked(
        profile,
        "ya29.abc",
        () => Response.json({ error: "invalid_token" }, { status: 400 })
      )
      assert.deepStrictEqual(outcome, inactive)
    }))

  it.effect.each(trouble)("%s is an outage, not a verdict (T-INTR-04)", ([, response]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* asked(profile, "ya29.abc", response)).outcome, unavailable)
    }))

  it.effect("an ID token of Google is none, whatever it holds (T-CLAIM-05)", () =>
    Effect.gen(function*() {
      const { gate, sign } = yield* provider(profile)
      const claims = { iss: profile.issuer, aud: client, azp: client, sub: "1", scope: "openid", exp: now + 60 }
      assert.strictEqual(yield* judge(gate, yield* sign({ typ: "JWT" }, claims)), "token-type")
      assert.strictEqual(yield* judge(gate, yield* sign({ typ: "at+jwt" }, claims)), "token-type")
    }))
})

describe("bound to what", () => {
  it("only to the client, where the provider names no resource", () => {
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
