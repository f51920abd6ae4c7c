import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Metric, Redacted, Schema, Tracer } from "effect"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { postForm } from "../../src/outbound/FormPost.ts"
import * as Introspection from "../verification/introspection/answers.ts"
import * as Running from "./Running.ts"

const { bearer, goodClaims, goodHeader, messageHeaders, segment } = Running

/** Returns the text of everything that a value contains, also of non-enumerable properties and causes. */
const whole = (value: unknown): string =>
  inspect(value, { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null })

const token = (server: Running.Running, mark: string, claims: object = {}, header: object = {}) =>
  server.issuer.signSegments(
    segment({ ...goodHeader, ...header }),
    segment({ ...goodClaims(server), jti: mark, email: `${mark}@example.com`, [`urn:${mark}`]: mark, ...claims })
  )

type Send = (server: Running.Running, mark: string) => Effect.Effect<unknown, never, never>

const call =
  (claims: (mark: string, server: Running.Running) => object, header: (mark: string) => object = () => ({})): Send =>
  (server, mark) =>
    Effect.flatMap(
      token(server, mark, claims(mark, server), header(mark)),
      (_) => server.call("add_todo", bearer(_), { title: "x" })
    )

const line = (text: (mark: string) => string | ReadonlyArray<string>): Send => (server, mark) =>
  server.call("add_todo", { authorization: text(mark) as string }, { title: "x" })

/** The values that the log shows on purpose contain this text instead of the mark. */
const shown = (mark: string): string => [...mark].reverse().join("")

/**
 * Requests that cause each result of the gate: every kind of rejection, and admission. Each part of a request that can
 * contain the mark contains it.
 */
const ways: Readonly<Record<string, Send>> = {
  "no token at all": line((mark) => `Bearer ${mark}`),
  "two tokens": line((mark) => `Bearer ${mark} ${mark}`),
  "two lines": line((mark) => [`Bearer ${mark}`, `Bearer ${mark}`]),
  "another scheme": line((mark) => `Basic ${mark}`),
  "a long one": line((mark) => `Bearer ${mark.repeat(1_000)}`),
  "an unknown issuer": call((mark) => ({ iss: `https://${shown(mark)}.test` })),
  "an issuer of a wrong type": call((mark) => ({ iss: { mark } })),
  "an unknown algorithm": call(() => ({}), (mark) => ({ alg: shown(mark) })),
  "a critical header": call(() => ({}), (mark) => ({ crit: [shown(mark)], [mark]: 1 })),
  "a type": call(() => ({}), (mark) => ({ typ: shown(mark) })),
  "an unknown key": call(() => ({}), (mark) => ({ kid: shown(mark) })),
  "an embedded key": call(
    () => ({}),
    (mark) => ({ kid: shown(mark), jku: `https://${mark}.test`, jwk: { kty: mark } })
  ),
  "a bad signature": (server, mark) =>
    Effect.flatMap(token(server, mark), (_) => server.call("whoami", bearer(`${_.slice(0, -8)}AAAAAAAA`))),
  "an expired token": call(() => ({ exp: 1 })),
  "an expiry of a wrong type": call((mark) => ({ exp: mark })),
  "an ID token": call((mark) => ({ nonce: mark }), () => ({ typ: "JWT" })),
  "another audience": call((mark) => ({ aud: [shown(mark), `https://${shown(mark)}.test`] })),
  "a subject of a wrong type": call((mark) => ({ sub: [mark] })),
  "a client of a wrong type": call((mark) => ({ client_id: { mark } })),
  "scopes of a wrong type": call((mark) => ({ scope: [mark] })),
  "a token bound to a key": call((mark) => ({ cnf: { jkt: mark } })),
  "a scope that is missing": call((mark) => ({ scope: `todos:read ${mark}` })),
  "a token that is admitted": call((mark) => ({ scope: `todos:read todos:write ${mark}` })),
  "a body that is not JSON": (server, mark) =>
    Effect.flatMap(
      token(server, mark),
      (_) => server.send({ headers: { ...messageHeaders("ping"), ...bearer(_) }, body: "{" })
    ),
  "an unknown session": (server, mark) =>
    Effect.flatMap(token(server, mark), (_) => server.call("whoami", { ...bearer(_), "mcp-session-id": "x" })),
  "an outage": (server, mark) =>
    Effect.gen(function*() {
      const _ = yield* token(server, mark, { exp: Running.now + 200_000 })
      yield* TestClock.adjust("25 hours")
      yield* server.issuer.fail({ _tag: "Status", status: 500 })
      return yield* server.call("whoami", bearer(_))
    }),
  "a key set that is not JSON": (server, mark) =>
    Effect.gen(function*() {
      const _ = yield* token(server, mark, { exp: Running.now + 200_000 })
      yield* TestClock.adjust("25 hours")
      yield* server.issuer.fail({ _tag: "Body", body: "<html>", contentType: "text/html" })
      return yield* server.call("whoami", bearer(_))
    })
}

/** Starts a server, sends it a request, and returns the texts in which a secret of the request must not be. */
const observe = Effect.fnUntraced(function*(
  auth: Running.Options["auth"],
  send: (server: Running.Running) => Effect.Effect<unknown>
) {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const registry = new Map()
  const errors: Array<unknown> = []
  const server = yield* Running.start({
    ...(auth === undefined ? {} : { auth }),
    client: (own) => HttpClient.tapError(own, (error) => Effect.sync(() => void errors.push(error)))
  }).pipe(Effect.withTracer(tracer), Effect.provideService(Metric.MetricRegistry, registry))
  const answer = yield* send(server)
  const places = {
    answer: whole(answer),
    logs: server.logs(),
    spans: spans.map((_) => whole([_.name, _.attributes, _.events, _.status])).join(),
    metrics: whole([...registry.values()].map(({ attributes, id }) => [id, attributes])),
    decisions: whole(server.decisions),
    errors: whole(errors)
  }
  // If the records were empty, the assertions about them would pass without proving anything.
  assert.isNotEmpty(server.decisions)
  assert.include(places.logs, "request ")
  assert.include(places.metrics, "mcp_auth_decisions_total")
  assert.isNotEmpty(spans)
  return places
})

describe("a mark in a token", () => {
  it.effect.prop(
    "is in no log, span, metric, decision, error and answer, for any result of the request",
    {
      way: Schema.Literals(Object.keys(ways)),
      mark: Schema.String.check(Schema.isPattern(/^zQ[A-Za-z0-9]{20,30}$/))
    },
    ({ mark, way }) =>
      Effect.gen(function*() {
        const places = yield* observe(undefined, (server) => ways[way]!(server, mark))
        // The token contains the mark in base64url. The first and last characters depend on the neighboring bytes, so they are
        // removed.
        const hidden = [mark, segment(mark).slice(2, -4)]
        for (const [place, text] of Object.entries(places)) {
          for (const secret of hidden) assert.notInclude(text, secret, place)
          // The explanation of a rejection is for the operator only.
          if (place !== "logs" && place !== "decisions") assert.notInclude(text, shown(mark), place)
        }
      }),
    { arbitrary: { runs: 120, size: 30 }, timeout: 60_000 }
  )
})

/** Requests with an API key, and the statuses of their responses. Each name states the result. */
const withKey: Readonly<
  Record<
    string,
    readonly [status: number, send: (server: Running.Running, key: string) => Effect.Effect<Running.Answer>]
  >
> = {
  "a key that is admitted": [200, (server, key) => server.call("list_todos", { "x-api-key": key })],
  "a key without the scope": [403, (server, key) => server.call("add_todo", { "x-api-key": key }, { title: "x" })],
  "an unknown key": [401, (server, key) => server.call("whoami", { "x-api-key": `a${key}` })],
  "a wrong secret": [401, (server, key) => server.call("whoami", { "x-api-key": key.replace(/.$/, "x") })],
  "a long key": [401, (server, key) => server.call("whoami", { "x-api-key": key.repeat(50) })],
  "two keys": [400, (server, key) => server.call("whoami", { "x-api-key": [key, key] })],
  "a key and a token": [400, (server, key) => server.call("whoami", { "x-api-key": key, ...bearer(key) })],
  "a key as a token": [401, (server, key) => server.call("whoami", bearer(key))],
  "a key with another scheme": [401, (server, key) => server.call("whoami", { authorization: `ApiKey ${key}` })],
  "an unknown session": [404, (server, key) => server.call("whoami", { "x-api-key": key, "mcp-session-id": "x" })]
}

describe("a mark in an API key", () => {
  it.effect.each(Object.entries(withKey))(
    "[T-APIKEY-11] is in no log, span, metric, decision, error and answer: %s",
    ([, [status, send]]) =>
      Effect.gen(function*() {
        const { key, record } = yield* ApiKeys.generate({ subject: "cron", scopes: ["todos:read"] })
        const text = Redacted.value(key)
        const apiKeys = ApiKeys.make({ store: ApiKeys.memory([record]), header: "x-api-key" })
        const places = yield* observe({ apiKeys }, (server) =>
          Effect.tap(send(server, text), (answer) =>
            Effect.sync(() =>
              assert.strictEqual(answer.status, status, answer.body)
            )))
        for (const [place, content] of Object.entries(places)) {
          assert.notInclude(content, text.slice(-64, -2), place)
        }
        if (status === 200 || status === 403) assert.include(places.decisions, record.identifier)
      })
  )
})

describe("a mark in an opaque token", () => {
  it.effect("is in no log and no error when its introspection endpoint fails or the HTTP client throws", () =>
    Effect.gen(function*() {
      const mark = "zQmarkedOpaqueToken"
      const lines: Array<string> = []
      const logger = Logger.make((entry) => void lines.push(whole([entry.message, entry.cause])))
      const { client, endpoint, gate } = yield* Introspection.world
      const throwing = HttpClient.mapRequestEffect(client, () => Effect.die(new Error(mark)))
      const rejections: Array<unknown> = []
      const caller = yield* gate()
      yield* Effect.gen(function*() {
        for (const status of [500, 401]) {
          endpoint.answer = () => new Response(mark, { status })
          for (let at = 0; at < 4; at++) rejections.push(yield* caller.present(`${mark}-${status}-${at}`))
          yield* TestClock.adjust("2 minutes")
        }
        rejections.push(
          yield* Effect.exit(postForm(HttpClientFetcher.make(throwing), {
            url: "https://issuer.test/introspect",
            accept: "application/json",
            proof: { headers: {}, parameters: {} },
            parameters: [["token", mark]]
          }, { issuer: "https://issuer.test", allowInsecureHttp: false }))
        )
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.isNotEmpty(lines)
      assert.notInclude(lines.join("\n"), mark)
      assert.notInclude(whole(rejections), mark)
    }))
})
