import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import type { TestUpstream } from "effect-mcp-auth/testing"
import * as Admit from "../../src/proxy/Admit.ts"
import { type Form, reasonOf, world } from "./upstream/world.ts"

type Account = TestUpstream.Account
const alice: Account = { id: 1001, login: "alice", email: "alice@acme.test", hostedDomain: "acme.test", acct: 0 }
const acme = { login: "acme", id: 9919 }

const rows: ReadonlyArray<
  readonly [title: string, form: Form, admit: Admit.Admit, change: Partial<Account>, isAdmitted: boolean]
> = [
  ["anyone admits each account", "github", Admit.anyone, {}, true],
  ["an e-mail domain admits a verified address", "google", Admit.emailDomain("acme.test"), {}, true],
  ["an e-mail domain compares without case", "google", Admit.emailDomain("acme.test"), { email: "A@ACME.test" }, true],
  ["an e-mail domain rejects an address that is not verified", "google", Admit.emailDomain("acme.test"), {
    isEmailVerified: false
  }, false],
  ["an e-mail domain rejects a text instead of true", "google", Admit.emailDomain("acme.test"), {
    isEmailVerified: "true" as never
  }, false],
  [
    "an e-mail domain rejects a letter whose lower case is a letter of the domain",
    "google",
    Admit.emailDomain("kelvin.test"),
    {
      email: "alice@\u212aelvin.test"
    },
    false
  ],
  ["an e-mail domain rejects a longer domain", "google", Admit.emailDomain("acme.test"), {
    email: "mallory@evilacme.test"
  }, false],
  [
    "an e-mail domain rejects a subdomain",
    "google",
    Admit.emailDomain("acme.test"),
    { email: "m@sub.acme.test" },
    false
  ],
  ["an e-mail domain rejects an address with two @", "google", Admit.emailDomain("acme.test"), {
    email: "\"m@acme.test\"@evil.test@acme.test"
  }, false],
  [
    "an e-mail domain admits the verified primary address at GitHub",
    "github",
    Admit.emailDomain("acme.test"),
    {},
    true
  ],
  ["an e-mail domain rejects an address at GitHub that is not verified", "github", Admit.emailDomain("acme.test"), {
    isEmailVerified: false
  }, false],
  ["a hosted domain admits its accounts", "google", Admit.hostedDomain("acme.test"), {}, true],
  ["a hosted domain rejects an account with only an address of the domain", "google", Admit.hostedDomain("acme.test"), {
    hostedDomain: undefined
  }, false],
  ["an organization admits its members", "github", Admit.githubOrganization("acme"), { organizations: [acme] }, true],
  ["an organization rejects others", "github", Admit.githubOrganization("acme"), {
    organizations: [{ login: "other", id: 1 }]
  }, false],
  [
    "an organization with an id rejects another one of the same name",
    "github",
    Admit.githubOrganization("acme", { id: 9919 }),
    {
      organizations: [{ login: "acme", id: 1 }]
    },
    false
  ],
  ["the tenant admits its members", "entra", Admit.tenantMembers, {}, true],
  ["attack A9: the tenant rejects its guests", "entra", Admit.tenantMembers, { acct: 1 }, false],
  [
    "attack A9: the tenant rejects people without the claim acct",
    "entra",
    Admit.tenantMembers,
    { acct: undefined },
    false
  ]
]

describe("a rule of admission", () => {
  it.effect.each(rows)("attack 17: %s", ([, form, admit, change, isAdmitted]) =>
    Effect.gen(function*() {
      const { signIn, values } = yield* world({ form, admit, accounts: [{ ...alice, ...change }] })
      assert.strictEqual(yield* reasonOf(signIn()), isAdmitted ? "success" : "AdmissionRejected")
      assert.strictEqual(values.size, isAdmitted ? 1 : 0)
    }))

  it.effect("an organization rejects an invitation that is not accepted", () =>
    Effect.gen(function*() {
      const { signIn, upstream } = yield* world({ form: "github", admit: Admit.githubOrganization("acme") })
      yield* upstream.respondWith("/memberships/", () => Response.json({ state: "pending", organization: acme }))
      assert.strictEqual(yield* reasonOf(signIn()), "AdmissionRejected")
    }))

  it.effect("requests the scopes that it needs", () =>
    Effect.gen(function*() {
      const scopesOf = (form: Form, admit: Admit.Admit) =>
        Effect.map(world({ form, admit }), ({ leg }) => leg.upstreamScopes(["todos:read"]))
      assert.deepStrictEqual(yield* scopesOf("github", Admit.githubOrganization("acme")), ["read:user", "read:org"])
      assert.deepStrictEqual(yield* scopesOf("github", Admit.emailDomain("acme.test")), ["read:user", "user:email"])
      assert.deepStrictEqual(yield* scopesOf("rotating", Admit.githubOrganization("acme")), [])
      assert.deepStrictEqual(yield* scopesOf("google", Admit.emailDomain("acme.test")), ["openid", "email"])
    }))

  it.effect("uses the services of a rule of the author, which decides again at each refresh", () => {
    class Members extends Context.Service<Members, { readonly all: Set<string> }>()("test/Members") {}
    const members = new Set(["1001"])
    const admit = Admit.custom(({ id, token }) => Effect.map(Members, ({ all }) => all.has(id) && token !== undefined))
    return Effect.gen(function*() {
      const { leg, signIn } = yield* world({ form: "github", admit })
      const { upstreamKey } = yield* signIn()
      assert.strictEqual(yield* reasonOf(signIn(["todos:read"], "mallory")), "AdmissionRejected")
      members.clear()
      assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
    }).pipe(Effect.provide(Layer.succeed(Members, { all: members })))
  })

  it.effect("reports a rejected person and the reason, at a sign-in and at a refresh, without an e-mail address in the log", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      const rejections: Array<Admit.Rejection> = []
      yield* Effect.gen(function*() {
        const { leg, signIn, upstream } = yield* world({
          form: "google",
          admit: Admit.emailDomain("acme.test"),
          preset: (preset) => ({
            ...preset,
            quirks: { ...preset.quirks, identify: (claims) => ({ id: String(claims["email"]) }) }
          }),
          onRejection: (rejection) => Effect.sync(() => void rejections.push(rejection))
        })
        assert.strictEqual(yield* reasonOf(signIn(["todos:read"], "mallory")), "AdmissionRejected")
        const { upstreamKey } = yield* signIn()
        yield* upstream.setAccount({ ...alice, isEmailVerified: false })
        assert.deepStrictEqual(yield* leg.check(upstreamKey), { outcome: "rejected" })
        assert.deepStrictEqual(rejections, [
          {
            upstream: "google",
            subject: leg.subjectOf("mallory@elsewhere.test"),
            rule: "emailDomain",
            reason: "the domain of the verified e-mail address is elsewhere.test, and not acme.test",
            during: "sign-in"
          },
          {
            upstream: "google",
            subject: leg.subjectOf("alice@acme.test"),
            rule: "emailDomain",
            reason: "the upstream has verified no e-mail address",
            during: "refresh"
          }
        ])
      }).pipe(Effect.provide(Logger.layer([logger])))
      const warnings = logged.filter((message) => message.startsWith("Admit.emailDomain rejects"))
      assert.strictEqual(warnings.length, 2, logged.join("\n"))
      assert.match(warnings[0]!, /google\|[\w-]{8}\|m…@elsewhere\.test at the sign-in: the domain of the verified/)
      assert.notInclude(logged.join("\n"), "mallory")
    }))

  it.effect("rejects a person also if the listener of rejections fails", () =>
    Effect.gen(function*() {
      const { signIn } = yield* world({
        form: "github",
        admit: Admit.githubOrganization("acme"),
        onRejection: () => Effect.die("bug")
      })
      assert.strictEqual(yield* reasonOf(signIn(["todos:read"], "mallory")), "AdmissionRejected")
    }))

  it("rejects a text that is not a domain, or not a name of an organization", () => {
    for (const domain of ["@acme.com", "acme", "ACME.com", "acme.com/", "", "a b.com"]) {
      assert.throws(() => Admit.emailDomain(domain), /Admit\.emailDomain/)
      assert.throws(() => Admit.hostedDomain(domain), /Admit\.hostedDomain/)
    }
    for (const name of ["", "a/b", "../x", "a?b", "a".repeat(40)]) {
      assert.throws(() => Admit.githubOrganization(name), /Admit\.githubOrganization/)
    }
  })
})
