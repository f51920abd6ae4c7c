import { Effect, Layer } from "effect"
import { AuthLayer, type Profile } from "effect-mcp-auth"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"

export const resource = "https://todos.example.com/mcp"

/** The time of every test, in seconds since 1970. */
export const now = 1_790_000_000

export type Claims = Readonly<Record<string, unknown>>

export interface Provider {
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly gate: AuthLayer.AuthLayer["Service"]
  /** Reaches the issuer. */
  readonly client: HttpClient.HttpClient
  /** Signs a token with the provider's key. A member with the value `undefined` is removed. */
  readonly sign: (header: Claims, claims: Claims) => Effect.Effect<string>
}

export interface Options {
  /** Default: RS256, with a key that all tests of a file share. */
  readonly algorithm?: TestIssuer.Options["algorithm"]
  /** Creates the published keys from the key of the provider. Default: that key. */
  readonly keys?: ((jwk: Claims) => ReadonlyArray<unknown>) | undefined
  /** Options of the gate in addition to the profile. */
  readonly gateOptions?: Pick<AuthLayer.Common<readonly [string]>, "audience" | "tokenType"> | undefined
}

const without = (members: Claims): Claims =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

/**
 * Hundreds of tests each create an issuer. They share one RSA key, because generating a key for each would take most of the
 * time of the tests.
 */
const rsaKey = Effect.runSync(Effect.cached(SigningKey.make({ algorithm: "RS256", kid: "rsa" })))

/** Creates an authorization server with the issuer of the profile, and a gate that is configured with the profile. */
export const provider = (profile: Profile.Profile, options: Options = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(now * 1000)
    const { client, issuer } = yield* TestIssuer.make({
      issuer: profile.issuer,
      algorithm: options.algorithm,
      // Some providers serve their keys under another host name than their metadata.
      jwksUri: profile.jwksUri
    })
    const algorithm = options.algorithm ?? "RS256"
    const current = yield* issuer.currentKey
    const { kid, publicJwk, sign } = options.algorithm === undefined ? yield* rsaKey : { ...current, sign: issuer.sign }
    const keys = options.keys ?? ((jwk) => [jwk])
    yield* issuer.publishKeys(keys(publicJwk as Claims))
    const services = yield* Layer.build(
      gateLayer({
        authorizationServers: [profile],
        resource,
        scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
        ...options.gateOptions
      }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
    )
    const gate = yield* Effect.provide(AuthLayer.AuthLayer, services)
    const made: Provider = {
      issuer,
      gate,
      client,
      sign: (header, claims) => sign(without({ alg: algorithm, kid, ...header }), without(claims))
    }
    return made
  })

/** Sends a token to the gate. Returns parts of the principal, `"anonymous"`, or the reason of the rejection. */
export const authenticateToken = (gate: Provider["gate"], token: string) =>
  authenticate(gate, {
    method: "POST",
    header: () => undefined,
    authorization: [`Bearer ${token}`],
    host: [new URL(gate.resource.resource).host]
  }).pipe(
    Effect.map((caller) =>
      typeof caller === "string" ? caller : {
        subject: caller.subject,
        clientId: caller.clientId,
        scopes: [...caller.scopes] as ReadonlyArray<string>
      }
    ),
    Effect.catch((rejection) => Effect.succeed<string>(rejection.reason))
  )
