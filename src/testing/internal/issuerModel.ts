import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { CryptoKey, JWK } from "jose"
import type * as Forgery from "../Forgery.ts"
import type * as TokenShape from "../TokenShape.ts"
import type * as mint from "./mint.ts"
import type * as respond from "./respond.ts"

/**
 * The service of an issuer.
 *
 * **Details**
 *
 * The parameter `where` selects requests by a part of their URL, such as `"/jwks"`, `"/.well-known/"` or `"/introspect"`.
 * Default: all requests. A fault lasts until the next fault or `recover`.
 *
 * **Example** (Rotating keys)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const kids = Effect.gen(function*() {
 *   const issuer = yield* TestIssuer.TestIssuer
 *   const before = yield* issuer.currentKey
 *   yield* issuer.rotateKeys
 *   return [before.kid, (yield* issuer.currentKey).kid]
 * })
 *
 * const [before, after] = await Effect.runPromise(Effect.provide(kids, TestIssuer.layer()))
 * assert.notStrictEqual(before, after)
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class TestIssuer extends Context.Service<TestIssuer, {
  readonly issuer: string
  /** The default audience of tokens. */
  readonly resource: string
  readonly jwksUri: string
  readonly introspectionEndpoint: string
  readonly revocationEndpoint: string
  readonly tokenEndpoint: string
  /** The credentials of the first client in the options. */
  readonly client: { readonly clientId: string; readonly clientSecret: string }

  /** Mints a token, signed with the current key. */
  readonly mint: (options?: mint.TokenOptions) => Effect.Effect<string>
  /** Mints an opaque token. */
  readonly mintOpaque: (options?: mint.OpaqueOptions) => Effect.Effect<string>
  /** Mints an access token in the shape of a provider; an opaque one if the provider issues opaque tokens. */
  readonly mintLike: (provider: TokenShape.Provider, options?: mint.ShapeOptions) => Effect.Effect<string>
  /** Mints an ID token in the shape of a provider. Servers must reject it as an access token. */
  readonly mintIdTokenLike: (provider: TokenShape.Provider, options?: mint.ShapeOptions) => Effect.Effect<string>
  /** Mints an ID token for a client (OpenID Connect Core §2). Servers must reject it as an access token. */
  readonly mintIdToken: (options?: mint.IdTokenOptions) => Effect.Effect<string>
  /**
   * Mints an ID-JAG: the grant of an identity provider that an authorization server accepts in place of a sign-in. Servers must
   * reject it as an access token.
   */
  readonly mintIdJag: (options?: mint.IdJagOptions) => Effect.Effect<string>
  /**
   * Mints a forgery of the token that `mint` returns. `Forgery.forgeries[kind].reason` is the reason of its rejection.
   * Forgeries with an HMAC use HS256, or the HMAC algorithm in the option `header.alg`.
   */
  readonly mintBroken: (kind: Forgery.Kind, options?: mint.TokenOptions) => Effect.Effect<string>
  /** Signs a token with the current key. The token has exactly this header and these claims. */
  readonly sign: (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string>
  /** Signs two segments unchanged with the current key, even if they are malformed. */
  readonly signSegments: (header: string, claims: string) => Effect.Effect<string>
  /** Revokes a token: introspection reports it as inactive. Its signature stays valid. */
  readonly revoke: (token: string) => Effect.Effect<void>

  /** Generates a new signing key of the default algorithm, and publishes it in addition to the old keys. */
  readonly rotateKeys: Effect.Effect<void>
  /** Publishes only the current key of each algorithm. */
  readonly withdrawOldKeys: Effect.Effect<void>
  /**
   * Removes a key from the published set, as an issuer does after a theft. Default: the current key. After servers fetch the
   * set again, they must reject tokens that this key signed. If no key of the default algorithm is left, the issuer generates
   * one.
   */
  readonly withdrawKey: (kid?: string) => Effect.Effect<void>
  /** Returns the current key pair and its id, for forgeries. */
  readonly currentKey: Effect.Effect<{ readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK }>
  /** Replaces the published keys; `undefined` publishes the keys of the issuer again. */
  readonly publishKeys: (keys: ReadonlyArray<unknown> | undefined) => Effect.Effect<void>
  /** Adds members to the metadata or replaces members of the same name; `undefined` removes a member. */
  readonly publishMetadata: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /**
   * Adds members to the introspection response of every active token or replaces members of the same name; `undefined` removes
   * a member.
   */
  readonly publishIntrospection: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /**
   * Responds with the result of `respond` to requests whose URL contains `where`, even if the URL has another origin.
   * `undefined` restores the response of the issuer. If the promise rejects, the connection fails. If it never settles, no
   * response arrives.
   */
  readonly respondWith: (
    where: string,
    respond: ((request: respond.Received) => Response | Promise<Response>) | undefined
  ) => Effect.Effect<void>
  /** Requires this nonce in DPoP proofs at the token endpoint (RFC 9449 §8); `undefined` requires none. */
  readonly requireDpopNonce: (nonce: string | undefined) => Effect.Effect<void>

  /** Sets the current fault. It replaces the previous one. */
  readonly fail: (fault: respond.Fault, where?: string) => Effect.Effect<void>
  /** Makes the issuer accept no connections. */
  readonly goDown: (where?: string) => Effect.Effect<void>
  /** Makes the issuer receive requests and never respond. */
  readonly hang: (where?: string) => Effect.Effect<void>
  /** Makes the issuer delay every response. */
  readonly slow: (by: Duration.Input, where?: string) => Effect.Effect<void>
  /** Makes the issuer respond 200 with a web page, as captive portals do. */
  readonly answerHtml: (where?: string) => Effect.Effect<void>
  /** Makes the issuer respond with this status and without a body. */
  readonly answerStatus: (status: number, where?: string) => Effect.Effect<void>
  /** Makes the issuer redirect to this location with status 302. */
  readonly redirect: (location: string, where?: string) => Effect.Effect<void>
  /** Ends the current fault. */
  readonly recover: Effect.Effect<void>
  /** Sets how far the clock of the issuer is ahead of the `Clock`. A negative duration means that it is behind. */
  readonly skewClock: (by: Duration.Input) => Effect.Effect<void>

  /** Returns the received requests. */
  readonly requests: Effect.Effect<ReadonlyArray<respond.Received>>
  /** Returns the received requests, and clears the list. */
  readonly takeRequests: Effect.Effect<ReadonlyArray<respond.Received>>

  /** Responds to a request as over HTTP, with the current fault. Fails if the connection would fail. */
  readonly respond: (request: Request) => Effect.Effect<Response, respond.ConnectionRefused>
  /**
   * Creates a `fetch` that reaches the issuer. The option `elsewhere` answers requests to other URLs. The `fetch` uses the
   * clock of the fiber that creates it.
   */
  readonly fetch: Effect.Effect<typeof globalThis.fetch>
}>()("effect-mcp-auth/testing/TestIssuer") {}
