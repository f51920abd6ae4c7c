import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { Audience, type AuthError, type Principal } from "effect-mcp-auth"
import type { Rejection } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { SigningKey } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { decodeJwt, jwtVerify } from "jose"
import { active, resource, secret, start, world } from "./answers.ts"

const json = (body: unknown, init?: ResponseInit) => () => Response.json(body, init)

describe("the request", () => {
  it.effect("INTR-01 INTR-02: is a POST of a form with HTTP Basic, and contains the token nowhere else", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const caller = yield* gate()
      assert.strictEqual(yield* caller.outcome("opaque-1"), "admitted")
      const request = endpoint.requests[0]!
      assert.strictEqual(endpoint.requests.length, 1)
      assert.strictEqual(request.method, "POST")
      assert.strictEqual(request.url, "https://issuer.test/introspect")
      assert.strictEqual(request.headers["accept"], "application/json")
      assert.match(request.headers["content-type"] ?? "", /^application\/x-www-form-urlencoded/)
      assert.strictEqual(request.headers["authorization"], `Basic ${btoa("todos:hush")}`)
      assert.deepStrictEqual([...request.form], [["token", "opaque-1"], ["token_type_hint", "access_token"]])
    }))

  it.effect("INTR-02: form-encodes id and secret before Basic (RFC 6749 §2.3.1)", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const introspection = { clientId: "a:b c", clientSecret: Redacted.make("pä%+&=ss~") }
      yield* (yield* gate({ server: { introspection: Introspection.make(introspection) } })).outcome("opaque-1")
      assert.strictEqual(
        atob((endpoint.requests[0]?.headers["authorization"] ?? "").replace("Basic ", "")),
        "a%3Ab+c:p%C3%A4%25%2B%26%3Dss%7E"
      )
    }))

  it.effect("INTR-04: client_secret_post puts the credentials into the body, and sends no Authorization header", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      yield* (yield* gate({
        server: { introspection: Introspection.make({ ...secret, method: "client_secret_post" }) }
      })).outcome("t")
      const request = endpoint.requests[0]!
      assert.isUndefined(request.headers["authorization"])
      assert.strictEqual(request.form.get("client_id"), "todos")
      assert.strictEqual(request.form.get("client_secret"), "hush")
    }))

  it.effect("private_key_jwt signs a new assertion for each request, with the issuer as audience, for one minute", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const pair = yield* SigningKey.make({ kid: "k" })
      const introspection = { clientId: "todos", privateKey: Redacted.make(pair.privateJwk) }
      const caller = yield* gate({ server: { introspection: Introspection.make(introspection) } })
      assert.strictEqual(yield* caller.outcome("t1"), "admitted")
      assert.strictEqual(yield* caller.outcome("t2"), "admitted")
      const [first, second] = endpoint.requests.map((_) => _.form)
      assert.strictEqual(
        first?.get("client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
      )
      assert.isUndefined(endpoint.requests[0]?.headers["authorization"])
      const { payload, protectedHeader } = yield* Effect.promise(() =>
        jwtVerify(first?.get("client_assertion") ?? "", pair.publicKey, { currentDate: new Date(start * 1000) })
      )
      assert.deepStrictEqual(protectedHeader, { typ: "JWT", alg: "ES256", kid: "k" })
      const { jti, ...claims } = payload
      assert.deepStrictEqual(claims, {
        iss: "todos",
        sub: "todos",
        aud: "https://issuer.test",
        iat: start,
        exp: start + 60
      })
      assert.notStrictEqual(jti, decodeJwt(second?.get("client_assertion") ?? "").jti)
    }))

  it.effect("sends a bearer token of the resource server", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      yield* (yield* gate({ server: { introspection: Introspection.make({ bearerToken: Redacted.make("mine") }) } }))
        .outcome("t")
      assert.strictEqual(endpoint.requests[0]?.headers["authorization"], "Bearer mine")
    }))

  it.effect("goes to the endpoint of the options, without discovery", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const introspection = { ...secret, endpoint: "https://elsewhere.test/introspect" }
      assert.strictEqual(
        yield* (yield* gate({ server: { introspection: Introspection.make(introspection) } })).outcome("t"),
        "admitted"
      )
      assert.strictEqual(endpoint.requests[0]?.url, "https://elsewhere.test/introspect")
      assert.deepStrictEqual((yield* issuer.requests).map(({ url }) => url), ["https://elsewhere.test/introspect"])
    }))

  it.effect("is coalesced for requests with the same token, and continues if one of them gives up", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      let release = (_: Response) => {}
      endpoint.answer = () => new Promise((resolve) => (release = resolve))
      const caller = yield* gate()
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(caller.outcome("t")))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Fiber.interrupt(fibers[0]!)
      release(active()())
      assert.strictEqual(yield* Fiber.join(fibers[1]!), "admitted")
      assert.strictEqual(yield* Fiber.join(fibers[2]!), "admitted")
      assert.strictEqual(endpoint.requests.length, 1)
    }))

  it.effect("is not sent for a token of more than 16 KiB", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      assert.strictEqual(yield* (yield* gate()).outcome("t".repeat(16 * 1024 + 1)), "401 too-large")
      assert.strictEqual(endpoint.requests.length, 0)
    }))
})

describe("the answer", () => {
  const outcomeOf = (
    answer: () => Response,
    options: { readonly introspection?: Partial<Introspection.CommonOptions>; readonly audience?: Audience.Audience } =
      {}
  ) =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = answer
      return yield* (yield* gate({
        ...(options.audience === undefined ? {} : { audience: options.audience }),
        server: { introspection: Introspection.make({ ...secret, ...options.introspection }) }
      })).outcome("opaque-1")
    })

  it.effect("INTR-05: becomes the principal", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const principal = (yield* (yield* gate()).present("opaque-1")) as Principal
      assert.strictEqual(principal.issuer, "https://issuer.test")
      assert.strictEqual(principal.subject, "alice")
      assert.strictEqual(principal.clientId, "client-1")
      assert.deepStrictEqual([...principal.scopes], ["todos:read"])
      assert.deepStrictEqual(principal.audience, [resource])
      assert.strictEqual(principal.expiresAt, start + 300)
      assert.strictEqual(String(Redacted.value(principal.token)), "opaque-1")
    }))

  const good = { sub: "alice", aud: resource, exp: start + 300 }
  it.effect.each<readonly [string, () => Response]>([
    ...["true", "false", "yes", "no", "bogus", 1, 0, null, {}, [true], { value: true }].map((value) =>
      [JSON.stringify(value), json({ ...good, active: value })] as const
    ),
    ["missing", json(good)],
    ["false", json({ ...good, active: false })],
    ["nested", json({ data: { ...good, active: true } })],
    [
      "true, then false",
      () =>
        new Response(`{"active":true,"sub":"a","aud":"${resource}","exp":${start + 300},"active":false}`, {
          headers: { "content-type": "application/json" }
        })
    ]
  ])("INTR-07 T-INTR-01: an active member of %s rejects the token", ([, answer]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcomeOf(answer), "401 inactive")
    }))

  it.effect.each<readonly [claims: Record<string, unknown>, outcome: string]>([
    [{ exp: start - 1 }, "401 expired"],
    [{ exp: start }, "401 expired"],
    [{ exp: "not-a-number" }, "401 expiry"],
    [{ exp: [] }, "401 expiry"],
    [{ exp: 1e20 }, "401 expiry"],
    [{ nbf: "soon" }, "401 not-yet-valid"],
    [{ nbf: start + 31 }, "401 not-yet-valid"],
    [{ iat: true }, "401 issued-in-the-future"]
  ])("INTR-08 INTR-10: %j", ([claims, outcome]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcomeOf(active(claims)), outcome)
    }))

  it.effect.each<readonly [exp: null | undefined]>([[null], [undefined]])(
    "INTR-11 INTR-12: exp %s needs a maxLifetime",
    ([exp]) =>
      Effect.gen(function*() {
        const answer = active({ exp, iat: start - 100 })
        assert.strictEqual(yield* outcomeOf(answer), "401 expiry")
        assert.strictEqual(
          yield* outcomeOf(answer, { introspection: { maxLifetime: "101 seconds" } }),
          "admitted"
        )
        assert.strictEqual(
          yield* outcomeOf(answer, { introspection: { maxLifetime: "100 seconds" } }),
          "401 expired"
        )
        assert.strictEqual(
          yield* outcomeOf(active({ exp }), { introspection: { maxLifetime: "1 second" } }),
          "admitted"
        )
      })
  )

  const machineMarks = [{ claim: "grant", values: ["client_credentials"] }] as const
  it.effect.each<readonly [claims: Record<string, unknown>, outcome: string]>([
    [{ token_type: null }, "admitted"],
    [{ sub: null }, "401 subject"],
    [{ sub: null, grant: "client_credentials" }, "admitted"],
    [{ sub: null, grant: "client_credentials", client_id: undefined }, "401 subject"],
    [{ sub: "", grant: "client_credentials" }, "401 subject"],
    [{ sub: 0, grant: "client_credentials" }, "401 subject"],
    [{ token_type: "" }, "401 token-type"],
    [{ token_type: null, token_use: "refresh_token" }, "401 token-type"],
    // If a member that restricts a token is null, the gate rejects the token.
    [{ cnf: null }, "401 bound-to-key"],
    [{ aud: null }, "401 audience"],
    [{ client_id: null }, "401 client-id"],
    [{ token_use: null }, "401 token-type"]
  ])("null for sub and token_type counts as absent: %j", ([claims, outcome]) =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* outcomeOf(active(claims), { introspection: { machineMarks } }),
        outcome
      )
    }))

  it.effect("[T-AUD-21a] null for sub does not replace the subject that the issuer signed", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = active({ sub: null })
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, tokens: "all" }) } })
      const token = yield* issuer.mint({ subject: "bob" })
      assert.strictEqual(((yield* caller.present(token)) as Principal).subject, "bob")
      const [header, payload] = token.split(".")
      assert.strictEqual(yield* caller.outcome(`${header}.${payload}.AAAA`), "401 signature")
      const unsigned = Buffer.from(JSON.stringify({ alg: "none", typ: "at+jwt" })).toString("base64url")
      assert.strictEqual(yield* caller.outcome(`${unsigned}.${payload}.`), "401 subject")
    }))

  it.effect("a maxLifetime does not extend a token that has an expiry", () =>
    Effect.gen(function*() {
      const options = { introspection: { maxLifetime: "1 hour" } } as const
      assert.strictEqual(yield* outcomeOf(active({ exp: start - 1 }), options), "401 expired")
      assert.strictEqual(yield* outcomeOf(active({ exp: "soon" }), options), "401 expiry")
    }))

  it.effect.each<readonly [aud: unknown, outcome: string]>([
    [resource, "admitted"],
    [["https://other.test", resource], "admitted"],
    ["https://other.test", "401 audience"],
    [["https://other.test"], "401 audience"],
    [undefined, "401 audience"],
    [1, "401 audience"],
    [null, "401 audience"],
    [[resource, 1], "401 audience"]
  ])("INTR-14 INTR-15: aud %j", ([aud, outcome]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcomeOf(active({ aud })), outcome)
    }))

  it.effect("an answer without aud is accepted with Audience.introspector or by its client, and one with another aud never", () =>
    Effect.gen(function*() {
      for (const audience of [Audience.introspector, Audience.clientIds(["client-1"])]) {
        assert.strictEqual(yield* outcomeOf(active({ aud: undefined }), { audience }), "admitted")
        assert.strictEqual(yield* outcomeOf(active({ aud: resource }), { audience }), "admitted")
        assert.strictEqual(yield* outcomeOf(active({ aud: "https://other.test" }), { audience }), "401 audience")
      }
      assert.strictEqual(
        yield* outcomeOf(active({ aud: undefined, client_id: "other" }), {
          audience: Audience.clientIds(["client-1"])
        }),
        "401 audience"
      )
    }))

  it.effect("Audience.introspector still checks the aud of a JWT", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const caller = yield* gate({ audience: Audience.introspector })
      assert.strictEqual(yield* caller.outcome(yield* issuer.mint({ claims: { aud: undefined } })), "401 audience")
      assert.strictEqual(yield* caller.outcome(yield* issuer.mint()), "admitted")
    }))

  it.effect.each<readonly [iss: unknown, outcome: string]>([
    [undefined, "admitted"],
    ["https://issuer.test", "admitted"],
    ["https://issuer.test/", "401 unknown-issuer"],
    ["https://other.test", "401 unknown-issuer"],
    [1, "401 unknown-issuer"]
  ])("iss %j", ([iss, outcome]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcomeOf(active({ iss })), outcome)
    }))

  it.effect.each<readonly [claims: Record<string, unknown>, outcome: string]>([
    [{ sub: undefined }, "401 subject"],
    [{ sub: "" }, "401 subject"],
    [{ client_id: 1 }, "401 client-id"],
    [{ scope: ["todos:read"] }, "admitted"],
    [{ scope: ["todos:read", 1] }, "401 scope"],
    [{ cnf: { jkt: "x" } }, "401 bound-to-key"]
  ])("%j", ([claims, outcome]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcomeOf(active(claims)), outcome)
    }))
})

describe("failures of the endpoint are 503, never invalid_token", () => {
  const troubles: ReadonlyArray<readonly [string, () => Response | "refuse", string, string]> = [
    [
      "rejected credentials of this server",
      json({ error: "invalid_client" }, { status: 401 }),
      "client-rejected",
      "30"
    ],
    ["403 without an OAuth error", () => new Response("", { status: 403 }), "forbidden", "30"],
    [
      "403 with HTML",
      () => new Response("<p>", { status: 403, headers: { "content-type": "text/html" } }),
      "forbidden",
      "30"
    ],
    ["403 with an OAuth error", json({ error: "insufficient_scope" }, { status: 403 }), "client-rejected", "30"],
    [
      "rejected credentials of this server with the status 400",
      json({ error: "invalid_client" }, { status: 400 }),
      "client-rejected",
      "30"
    ],
    ["429", () => new Response("", { status: 429, headers: { "retry-after": "17" } }), "server-error", "17"],
    ["500", () => new Response("oops", { status: 500 }), "server-error", "1"],
    ["400", json({ error: "unsupported_token_type" }, { status: 400 }), "unusable-answer", "30"],
    ["404", () => new Response("", { status: 404 }), "unusable-answer", "30"],
    ["HTML", () => new Response("<p>", { headers: { "content-type": "text/html" } }), "unusable-answer", "30"],
    ["JSON served as text", () => new Response(`{"active":true}`), "unusable-answer", "30"],
    [
      "a body that is not JSON",
      () => new Response("{", { headers: { "content-type": "application/json" } }),
      "unusable-answer",
      "30"
    ],
    ["a list", json([{ active: true }]), "unusable-answer", "30"],
    [
      "a redirect",
      () => new Response("", { status: 302, headers: { location: "https://other.test/introspect" } }),
      "unusable-answer",
      "30"
    ],
    ["308", () => new Response("", { status: 308, headers: { location: "/introspect" } }), "unusable-answer", "30"],
    ["too large", json({ active: true, padding: "x".repeat(200_000) }), "unusable-answer", "30"],
    ["no connection", () => "refuse", "network", "1"]
  ]
  it.effect.each(troubles)("T-INTR-04 %s", ([, answer, reason, retryAfter]) =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = answer
      const caller = yield* gate()
      const rejection = (yield* caller.present("opaque-1")) as Rejection.Rejection
      assert.strictEqual(rejection.status, 503)
      assert.strictEqual(rejection.reason, reason)
      assert.strictEqual(rejection.headers["retry-after"], retryAfter)
      assert.isUndefined(rejection.headers["www-authenticate"])
      // The gate sent one request, so it followed no redirect. After the backoff, the token is accepted.
      assert.strictEqual(endpoint.requests.length, 1)
      endpoint.answer = active()
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(yield* caller.outcome("opaque-1"), "admitted")
    }))

  it.effect("T-INTR-04: cuts off an endless body", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      let sent = 0
      endpoint.answer = () =>
        new Response(
          new ReadableStream({
            pull: (controller) => {
              sent += 65_536
              controller.enqueue(new Uint8Array(65_536))
            }
          }),
          { headers: { "content-type": "application/json" } }
        )
      assert.strictEqual(yield* (yield* gate()).outcome("opaque-1"), "503 unusable-answer")
      assert.isBelow(sent, 1024 * 1024)
    }))

  it.effect("T-INTR-04: gives up an endpoint that hangs after 5 seconds", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      endpoint.answer = () => "hang"
      const caller = yield* gate()
      const fiber = yield* Effect.forkChild(caller.outcome("opaque-1"))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "503 timeout")
    }))

  it.effect("metadata without the endpoint does not reject the token", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      yield* issuer.publishMetadata({ introspection_endpoint: undefined })
      assert.strictEqual(yield* (yield* gate()).outcome("opaque-1"), "503 missing-member")
    }))
})

describe("RFC 9701: signed answers", () => {
  const signed = (
    header: Readonly<Record<string, unknown>> = {},
    claims: Readonly<Record<string, unknown>> = {},
    introspection: Partial<Introspection.EndpointOptions> = { signedAnswers: true }
  ) =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const { kid } = yield* issuer.currentKey
      const token = yield* issuer.sign(
        JSON.parse(JSON.stringify({ alg: "ES256", kid, typ: "token-introspection+jwt", ...header })),
        JSON.parse(JSON.stringify({
          iss: issuer.issuer,
          aud: "todos",
          iat: start,
          token_introspection: yield* Effect.promise(() => active()().json()),
          ...claims
        }))
      )
      endpoint.answer = () =>
        new Response(token, { headers: { "content-type": "application/token-introspection+jwt" } })
      const outcome =
        yield* (yield* gate({ server: { introspection: Introspection.make({ ...secret, ...introspection }) } }))
          .outcome("t")
      return { outcome, accept: endpoint.requests[0]?.headers["accept"] }
    })

  it.effect("are requested and admitted", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* signed(), {
        outcome: "admitted",
        accept: "application/token-introspection+jwt"
      })
      assert.deepStrictEqual(yield* signed({}, { aud: ["other", "todos"] }, {}), {
        outcome: "admitted",
        accept: "application/json"
      })
    }))

  it.effect.each<readonly [string, header: Record<string, unknown>, claims: Record<string, unknown>]>([
    ["another type of token", { typ: "at+jwt" }, {}],
    ["no type", { typ: undefined }, {}],
    ["another client", {}, { aud: "other" }],
    ["nobody", {}, { aud: undefined }],
    ["another issuer", {}, { iss: "https://other.test" }],
    ["iat an hour ago", {}, { iat: start - 3600 }],
    ["no iat", {}, { iat: undefined }],
    ["no token_introspection", {}, { token_introspection: undefined, active: true }],
    ["an unknown key", { kid: "other" }, {}]
  ])("are rejected for %s", ([, header, claims]) =>
    Effect.gen(function*() {
      assert.strictEqual((yield* signed(header, claims)).outcome, "503 unusable-answer")
    }))

  it.effect("an inactive token is inactive in a signed answer, too", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* signed({}, { token_introspection: { active: false } })).outcome, "401 inactive")
    }))

  it.effect("rejects a forged answer, and a plain answer where signed ones are required", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const caller = yield* gate({ server: { introspection: Introspection.make({ ...secret, signedAnswers: true }) } })
      assert.strictEqual(yield* caller.outcome("t"), "503 unusable-answer")
      const { kid } = yield* issuer.currentKey
      const forged = yield* issuer.sign({ alg: "ES256", kid, typ: "token-introspection+jwt" }, {
        iss: issuer.issuer,
        aud: "todos",
        iat: start,
        token_introspection: { active: true }
      })
      endpoint.answer = () =>
        new Response(`${forged.slice(0, -4)}AAAA`, {
          headers: { "content-type": "application/token-introspection+jwt" }
        })
      assert.strictEqual(yield* caller.outcome("t"), "503 unusable-answer")
    }))
})

describe("introspection of all tokens", () => {
  const all = { introspection: Introspection.make({ ...secret, tokens: "all" }) } as const

  it.effect("is asked about JWTs, and cannot weaken what they contain", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = json({ active: true })
      const caller = yield* gate({ server: all })
      assert.strictEqual(yield* caller.outcome(yield* issuer.mint({ scopes: ["todos:read"] })), "admitted")
      assert.strictEqual(yield* caller.outcome(yield* issuer.mint({ audience: "https://other.test" })), "401 audience")
      assert.strictEqual(yield* caller.outcome(yield* issuer.mint({ expiresIn: "-1 seconds" })), "401 expired")
      assert.strictEqual(yield* caller.outcome(yield* issuer.mint({ claims: { cnf: {} } })), "401 bound-to-key")
      assert.strictEqual(endpoint.requests.length, 4)
    }))

  it.effect("[T-AUD-16b] is authoritative for any number of tokens with a withdrawn key", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      endpoint.answer = active()
      const withdrawn = yield* SigningKey.make({ kid: "withdrawn" })
      const caller = yield* gate({ server: all })
      for (const jti of ["1", "2", "3"]) {
        const token = yield* withdrawn.sign(
          { alg: "ES256", kid: "withdrawn", typ: "at+jwt" },
          { iss: issuer.issuer, sub: "alice", aud: resource, iat: start - 600, exp: start + 300, jti }
        )
        assert.strictEqual(yield* caller.outcome(token), "admitted")
      }
    }))

  it.effect("admits no ID token, active or not", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* world
      const idToken = yield* issuer.mint({ header: { typ: "JWT" }, claims: { nonce: "n" } })
      assert.strictEqual(yield* (yield* gate({ server: all })).outcome(idToken), "401 id-token")
    }))

  it.effect("is not asked about tokens of other issuers", () =>
    Effect.gen(function*() {
      const { endpoint, gate, issuer } = yield* world
      const foreign = yield* issuer.mint({ claims: { iss: "https://other.test" } })
      assert.strictEqual(yield* (yield* gate({ server: all })).outcome(foreign), "401 unknown-issuer")
      assert.strictEqual(endpoint.requests.length, 0)
    }))
})

describe("a look-up of the author", () => {
  it.effect("is checked like every introspection response", () =>
    Effect.gen(function*() {
      const { endpoint, gate } = yield* world
      const seen: Array<string> = []
      const lookUp: Introspection.LookUp = (token) => {
        seen.push(Redacted.value(token))
        return Effect.succeed({ active: true, sub: "bob", aud: seen.length === 1 ? resource : "other", exp: start + 9 })
      }
      const caller = yield* gate({ server: { introspection: Introspection.lookUp(lookUp) } })
      assert.strictEqual(((yield* caller.present("gho_1")) as Principal).subject, "bob")
      assert.strictEqual(yield* caller.outcome("gho_2"), "401 audience")
      assert.deepStrictEqual(seen, ["gho_1", "gho_2"])
      assert.strictEqual(endpoint.requests.length, 0)
    }))
})

describe("the options", () => {
  const wrong: ReadonlyArray<readonly [option: string, introspection: unknown]> = [
    ["clientSecret", {}],
    ["clientSecret", { clientId: "a", clientSecret: "hunter2" }],
    ["clientSecret", { clientId: "a", clientSecret: Redacted.make("") }],
    ["clientSecret", { ...secret, bearerToken: Redacted.make("t") }],
    ["clientId", { ...secret, clientId: "" }],
    ["method", { ...secret, method: "private_key_jwt" }],
    ["method", { ...secret, method: "none" }],
    ["method", { bearerToken: Redacted.make("t"), method: "client_secret_basic" }],
    ["bearerToken", { bearerToken: Redacted.make("two words") }],
    ["privateKey", { clientId: "a", privateKey: Redacted.make({ kty: "oct", k: "AAAA", alg: "HS256" }) }],
    ["privateKey", { clientId: "a", privateKey: Redacted.make({ kty: "EC", alg: "ES256", d: "AA" }) }],
    ["endpoint", { ...secret, endpoint: "http://elsewhere.test/introspect" }],
    ["endpoint", { ...secret, endpoint: "/introspect" }],
    ["tokens", { ...secret, tokens: "jwt" }],
    ["prefix", { ...secret, prefix: "" }],
    ["maxLifetime", { ...secret, maxLifetime: "0 seconds" }],
    ["maxLifetime", { ...secret, maxLifetime: "soon" }],
    ["cacheFor", { ...secret, cacheFor: -1 }],
    ["cacheFor", { ...secret, cacheFor: "soon" }],
    ["cacheFor", { ...secret, cacheFor: "2 hours" }],
    ["inactiveFor", { ...secret, inactiveFor: "1 hour" }],
    ["shared", { ...secret, shared: "redis" }],
    ["", "https://elsewhere.test"]
  ]
  it.effect.each(wrong)("INTR-04: %s of %j fails the layer", ([option, introspection]) =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const server = {
        introspection: option === ""
          ? Introspection.lookUp(introspection as Introspection.LookUp)
          : Introspection.make(introspection as Introspection.Options)
      }
      const error: AuthError.AuthConfigError = yield* Effect.flip(gate({ server }))
      assert.strictEqual(error.option, `authorizationServers[0].introspection${option === "" ? "" : `.${option}`}`)
      assert.notInclude(error.message, "hunter2")
      assert.notInclude(error.message, "two words")
    }))
})

describe("the grammar of the header", () => {
  const tokens = ["oauth:user:1", "00D5g000004!AQ0AQ.x", "a|b"]
  it.effect("admits tokens outside token68 only if the option allows them", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const narrow = yield* gate()
      const wide = yield* gate({ tokenGrammar: "visible-ascii" })
      for (const token of tokens) {
        assert.strictEqual(yield* narrow.outcome(token), "400 not-token68")
        assert.strictEqual(yield* wide.outcome(token), "admitted")
      }
      for (const token of ["a b", "a\tb", "a,b", "a\"b", "a\\b", "ä", "a\u007f"]) {
        assert.match(yield* wide.outcome(token), /^400 (?:not-token68|several-authorization-headers)$/)
      }
    }))

  it.effect("an unknown value fails the layer", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const error = yield* Effect.flip(gate({ tokenGrammar: "any" as "token68" }))
      assert.strictEqual(error.option, "tokenGrammar")
    }))
})
