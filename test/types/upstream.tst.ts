import { Context, Effect, Redacted } from "effect"
import { Admit, Upstream, type UpstreamToken } from "effect-mcp-auth/proxy"
import { describe, expect, test } from "tstyche"

const client = { clientId: "client", clientSecret: Redacted.make("secret") }

/** A function with the options of the proxy that share the literal scopes. */
declare const makeProxy: <const Baseline extends string, const StepUp extends string = never, R = never>(options: {
  readonly scopes: { readonly baseline: ReadonlyArray<Baseline>; readonly stepUp?: ReadonlyArray<StepUp> }
  readonly upstream: Upstream.Upstream<NoInfer<Baseline | StepUp>>
  readonly admit: Admit.Admit<R>
}) => Effect.Effect<void, never, R>

const scopes = { baseline: ["todos:read"], stepUp: ["todos:write"] } as const
const admit = Admit.anyone

describe("the scopes of an upstream", () => {
  test("are the literal MCP scopes", () => {
    expect(Upstream.github({ ...client, scopes: { "todos:read": [], "todos:write": ["repo"] } }))
      .type.toBe<Upstream.Upstream<"todos:read" | "todos:write">>()
  })

  test("compile if each scope of the proxy is mapped", () => {
    expect(makeProxy).type.toBeCallableWith({
      scopes,
      admit,
      upstream: Upstream.github({ ...client, scopes: { "todos:read": [], "todos:write": ["repo"] } })
    })
  })

  test("do not compile if one is missing or unknown", () => {
    expect(makeProxy).type.not.toBeCallableWith({
      scopes,
      admit,
      upstream: Upstream.google({ ...client, scopes: { "todos:read": [] } })
    })
    expect(makeProxy).type.not.toBeCallableWith({
      scopes,
      admit,
      upstream: Upstream.oidc({
        ...client,
        issuer: "https://auth.example.com",
        scopes: { "todos:read": [], "todos:write": [], "todos:delete": [] }
      })
    })
  })

  test("are empty lists at a GitHub App", () => {
    expect(Upstream.githubApp).type.toBeCallableWith({ ...client, scopes: { "todos:read": [] } })
    expect(Upstream.githubApp).type.not.toBeCallableWith({ ...client, scopes: { "todos:read": ["repo"] } })
  })
})

describe("a rule of admission", () => {
  class Members extends Context.Service<Members, { readonly has: (subject: string) => Effect.Effect<boolean> }>()(
    "test/Members"
  ) {}

  test("attack 17: has no default", () => {
    expect(makeProxy).type.not.toBeCallableWith({
      scopes: { baseline: ["todos:read"] },
      upstream: Upstream.github({ ...client, scopes: { "todos:read": [] } })
    })
  })

  test("adds the services of its effect to the requirements", () => {
    const custom = Admit.custom(({ person }) => Effect.flatMap(Members, ({ has }) => has(person.subject)))
    expect(custom).type.toBe<Admit.Admit<Members>>()
    expect(Admit.githubOrganization("acme")).type.toBe<Admit.Admit>()
  })

  test("attack 46: receives a token of the upstream, which other tokens are not", () => {
    Admit.custom(({ token }) => {
      expect(token).type.toBe<UpstreamToken>()
      return Effect.succeed(true)
    })
    expect<Redacted.Redacted>().type.not.toBeAssignableTo<UpstreamToken>()
  })
})
