/** Runs the recipes of docs/other-credentials.md against authorization servers that sign tokens as the real ones document. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { TokenHeader } from "effect-mcp-auth/token-header"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { authenticate } from "../../authorization/steps.ts"
import { rejected, request } from "../../authorization/support.ts"
import { gateLayer } from "../../servers/gates.ts"

const page = readFileSync(join(import.meta.dirname, "../../../docs/other-credentials.md"), "utf8")

/** Returns the options in the code of a section. test/documents.test.ts compiles the same code. */
const optionsIn = (heading: string): AuthLayer.Options<any> => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(page.slice(page.indexOf(`### ${heading}\n`)))!
  const program = code!.replace(/^import .*$/gm, "")
  return new Function("AuthLayer", "Profiles", "TokenHeader", `${program}\nreturn Auth`)(
    { make: (options: unknown) => options },
    Profiles,
    TokenHeader
  )
}

const now = 1_790_000_000
const times = { iat: now, exp: now + 300 }

interface Recipe {
  readonly heading: string
  readonly issuer: string
  readonly algorithm: "RS256" | "ES256"
  /** The URL of the keys, if the metadata of the issuer do not name it. */
  readonly jwksUri?: string
  readonly header: string
  readonly typ?: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly subject: string
  /** Further claims that the proxy writes for a program, and the client id of that program. */
  readonly program?: { readonly claims: Readonly<Record<string, unknown>>; readonly clientId: string }
}

const recipes: ReadonlyArray<Recipe> = [
  {
    heading: "Cloudflare Access",
    issuer: "https://acme.cloudflareaccess.com",
    algorithm: "RS256",
    jwksUri: "https://acme.cloudflareaccess.com/cdn-cgi/access/certs",
    header: "cf-access-jwt-assertion",
    typ: "JWT",
    claims: {
      ...times,
      nbf: now,
      aud: ["32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"],
      email: "alice@example.com",
      iss: "https://acme.cloudflareaccess.com",
      type: "app",
      identity_nonce: "6ei69kawdKzMIAPF",
      sub: "7335d417-61da-459d-899c-0a01c76a2f94",
      country: "US"
    },
    subject: "7335d417-61da-459d-899c-0a01c76a2f94",
    program: {
      claims: { sub: "", common_name: "88bf3b6d86161464f6509f7219099e57.access" },
      clientId: "88bf3b6d86161464f6509f7219099e57.access"
    }
  },
  {
    heading: "Google Identity-Aware Proxy",
    issuer: "https://cloud.google.com/iap",
    algorithm: "ES256",
    jwksUri: "https://www.gstatic.com/iap/verify/public_key-jwk",
    header: "x-goog-iap-jwt-assertion",
    claims: {
      ...times,
      aud: "/projects/123456789/global/backendServices/987654321",
      email: "accounts.google.com:alice@example.com",
      iss: "https://cloud.google.com/iap",
      sub: "accounts.google.com:118133858486581853996",
      hd: "example.com"
    },
    subject: "accounts.google.com:118133858486581853996"
  },
  {
    heading: "oauth2-proxy",
    issuer: "https://auth.example.com",
    algorithm: "RS256",
    header: "x-forwarded-access-token",
    typ: "at+jwt",
    claims: {
      ...times,
      aud: "https://todos.example.com/mcp",
      iss: "https://auth.example.com",
      sub: "alice",
      client_id: "oauth2-proxy",
      scope: "todos:read"
    },
    subject: "alice"
  }
]

describe("the recipe for", () => {
  it.effect.each(recipes)(
    "$heading admits its tokens in its header, and nothing else",
    (recipe) =>
      Effect.gen(function*() {
        yield* TestClock.setTime(now * 1000)
        const { client, issuer } = yield* TestIssuer.make({
          issuer: recipe.issuer,
          algorithm: recipe.algorithm,
          ...(recipe.jwksUri === undefined ? {} : { jwksUri: recipe.jwksUri })
        })
        const { kid } = yield* issuer.currentKey
        const gate = yield* Effect.provide(
          AuthLayer.AuthLayer,
          yield* Layer.build(
            gateLayer(optionsIn(recipe.heading) as never).pipe(
              Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
            )
          )
        )
        const sign = (claims: Readonly<Record<string, unknown>> = {}) =>
          issuer.sign({ alg: recipe.algorithm, kid, ...(recipe.typ === undefined ? {} : { typ: recipe.typ }) }, {
            ...recipe.claims,
            ...claims
          })
        const token = yield* sign()
        const caller = yield* authenticate(gate, request({ [recipe.header]: token }, ["Bearer for-the-proxy"]))
        assert.strictEqual(caller === "anonymous" ? caller : caller.subject, recipe.subject)
        if (recipe.program !== undefined) {
          const program = yield* authenticate(gate, request({ [recipe.header]: yield* sign(recipe.program.claims) }))
          assert.strictEqual(program === "anonymous" ? program : program.clientId, recipe.program.clientId)
        }
        const reasonOf = (headers: Readonly<Record<string, string>>, lines: ReadonlyArray<string> = []) =>
          Effect.map(rejected(authenticate(gate, request(headers, lines))), ({ reason }) => reason)
        assert.strictEqual(yield* reasonOf({}, [`Bearer ${token}`]), "no-token-header")
        assert.strictEqual(yield* reasonOf({ [recipe.header]: `${token}, ${token}` }), "token-header")
        assert.strictEqual(yield* reasonOf({ [recipe.header]: yield* sign({ aud: "other" }) }), "audience")
        assert.strictEqual(
          yield* reasonOf({ [recipe.header]: yield* sign({ iss: "https://evil.test" }) }),
          "unknown-issuer"
        )
        assert.strictEqual(yield* reasonOf({ [recipe.header]: `${token.slice(0, -8)}AAAAAAAA` }), "signature")
      })
  )
})
