/**
 * An authorization server in memory: real keys, real signatures, real documents, and every way to fail.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import { base64url, type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose"
import type { Algorithm } from "../verification/Algorithm.ts"

/**
 * What a token says.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenOptions {
  readonly subject?: string | undefined
  readonly scopes?: ReadonlyArray<string> | undefined
  /** Default: the resource of the issuer's options. */
  readonly audience?: string | ReadonlyArray<string> | undefined
  readonly clientId?: string | undefined
  /** Lifetime from now; negative for an expired token. Default: 5 minutes. */
  readonly expiresIn?: Duration.Input | undefined
  /** Merged over everything else; `undefined` removes a claim. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Merged over the protected header; `undefined` removes a member. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
}

/**
 * A request that the issuer received.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received {
  readonly method: string
  readonly url: string
}

/**
 * How an endpoint misbehaves.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Slow"; readonly by: Duration.Input }
  | { readonly _tag: "Refuse" }
  | { readonly _tag: "Body"; readonly body: string | Uint8Array; readonly contentType: string }

/**
 * @category services
 * @since 0.1.0
 */
export class TestIssuer extends Context.Service<TestIssuer, {
  readonly issuer: string
  readonly jwksUri: string
  /** A token signed with the current key. */
  readonly mint: (options?: TokenOptions) => Effect.Effect<string>
  /** A token with exactly this header and these claims, signed with the current key. */
  readonly sign: (
    header: Readonly<Record<string, unknown>>,
    claims: Readonly<Record<string, unknown>>
  ) => Effect.Effect<string>
  /** Signs with a new key, and publishes it beside the old one. */
  readonly rotateKeys: Effect.Effect<void>
  /** Publishes the current key alone. */
  readonly withdrawOldKeys: Effect.Effect<void>
  /** The current private key and its id, for forgeries. */
  readonly currentKey: Effect.Effect<{ readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK }>
  /** What the key set endpoint publishes from now on, instead of the keys. */
  readonly publishKeys: (keys: ReadonlyArray<unknown> | undefined) => Effect.Effect<void>
  /** What the metadata says from now on, merged over the usual; `undefined` removes a member. */
  readonly publishMetadata: (members: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  /** Makes every request fail whose URL contains `where` (default: all), until `recover`. */
  readonly fail: (fault: Fault, where?: string) => Effect.Effect<void>
  readonly recover: Effect.Effect<void>
  /** What was asked so far; `take` also forgets it. */
  readonly requests: Effect.Effect<ReadonlyArray<Received>>
  readonly takeRequests: Effect.Effect<ReadonlyArray<Received>>
  readonly skewClock: (by: Duration.Input) => Effect.Effect<void>
}>()("effect-mcp-auth/testing/TestIssuer") {}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: `https://issuer.test`. */
  readonly issuer?: string | undefined
  /** The audience of its tokens. Default: `https://server.test/mcp`. */
  readonly resource?: string | undefined
  /** Default: ES256, which is the quickest to generate. */
  readonly algorithm?: Algorithm | undefined
  /** Answers for URLs that are not the issuer's. Default: no such host. */
  readonly elsewhere?: ((url: URL) => Response | undefined) | undefined
  /** `Cache-Control` of its documents. */
  readonly cacheControl?: string | undefined
}

interface KeyPair {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

const generate = (algorithm: Algorithm, kid: string): Effect.Effect<KeyPair> =>
  Effect.promise(async () => {
    const pair = await generateKeyPair(algorithm, { extractable: true })
    return {
      kid,
      privateKey: pair.privateKey,
      publicJwk: { ...await exportJWK(pair.publicKey), kid, use: "sig", alg: algorithm }
    }
  })

const without = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))

/**
 * Makes an issuer, and the HTTP client that answers for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options = {}
): Effect.Effect<{ readonly issuer: TestIssuer["Service"]; readonly client: HttpClient.HttpClient }> =>
  Effect.gen(function*() {
    const issuer = options.issuer ?? "https://issuer.test"
    const resource = options.resource ?? "https://server.test/mcp"
    const algorithm = options.algorithm ?? "ES256"
    const url = new URL(issuer)
    const base = `${url.origin}${url.pathname.replace(/\/$/, "")}`
    const jwksUri = `${base}/jwks`

    let keys: ReadonlyArray<KeyPair> = [yield* generate(algorithm, "key-1")]
    let count = 1
    let published: ReadonlyArray<unknown> | undefined
    let metadata: Readonly<Record<string, unknown>> = {
      issuer,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      jwks_uri: jwksUri,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"]
    }
    let fault: { readonly fault: Fault; readonly where: string } | undefined
    let received: ReadonlyArray<Received> = []
    let skew = 0

    const current = () => keys[0]!
    const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor((millis + skew) / 1000))

    const sign: TestIssuer["Service"]["sign"] = (header, claims) =>
      Effect.promise(() => new SignJWT(claims).setProtectedHeader(header as { alg: string }).sign(current().privateKey))

    const mint: TestIssuer["Service"]["mint"] = (token = {}) =>
      Effect.flatMap(now, (seconds) => {
        const lifetime = Duration.toSeconds(Duration.fromInputUnsafe(token.expiresIn ?? "5 minutes"))
        return sign(
          without({ alg: algorithm, typ: "at+jwt", kid: current().kid, ...token.header }),
          without({
            iss: issuer,
            sub: token.subject ?? "alice",
            aud: token.audience ?? resource,
            client_id: token.clientId ?? "client-1",
            iat: seconds,
            exp: seconds + lifetime,
            jti: `jti-${++count}`,
            scope: token.scopes?.join(" "),
            ...token.claims
          })
        )
      })

    const json = (body: unknown) =>
      Response.json(
        body,
        options.cacheControl === undefined ? {} : { headers: { "cache-control": options.cacheControl } }
      )

    const answer = (asked: URL): Response => {
      if (asked.origin !== url.origin) return options.elsewhere?.(asked) ?? new Response("", { status: 404 })
      const path = asked.pathname
      const own = url.pathname.replace(/\/$/, "")
      if (asked.href === jwksUri) return json({ keys: published ?? keys.map((_) => _.publicJwk) })
      if (
        path === `/.well-known/oauth-authorization-server${own}` ||
        path === `/.well-known/openid-configuration${own}` ||
        path === `${own}/.well-known/openid-configuration`
      ) {
        return json(metadata)
      }
      return new Response("", { status: 404 })
    }

    const client = HttpClient.make((request, asked) =>
      Effect.suspend(() => {
        received = [...received, { method: request.method, url: asked.href }]
        const reply = () => HttpClientResponse.fromWeb(request, answer(asked))
        const active = fault !== undefined && asked.href.includes(fault.where) ? fault.fault : undefined
        switch (active?._tag) {
          case undefined:
            return Effect.sync(reply)
          case "Hang":
            return Effect.never
          case "Slow":
            return Effect.delay(Effect.sync(reply), active.by)
          case "Refuse":
            return Effect.fail(
              new HttpClientError.HttpClientError({
                reason: new HttpClientError.TransportError({ request, description: "connection refused" })
              })
            )
          case "Status":
            return Effect.sync(() =>
              HttpClientResponse.fromWeb(
                request,
                new Response(null, { status: active.status, headers: { ...active.headers } })
              )
            )
          case "Body":
            return Effect.sync(() =>
              HttpClientResponse.fromWeb(
                request,
                new Response(active.body as BodyInit, { headers: { "content-type": active.contentType } })
              )
            )
        }
      })
    )

    return {
      client,
      issuer: {
        issuer,
        jwksUri,
        mint,
        sign,
        rotateKeys: Effect.map(Effect.suspend(() => generate(algorithm, `key-${++count}`)), (key) => {
          keys = [key, ...keys]
        }),
        withdrawOldKeys: Effect.sync(() => {
          keys = [current()]
        }),
        currentKey: Effect.sync(current),
        publishKeys: (next) =>
          Effect.sync(() => {
            published = next
          }),
        publishMetadata: (members) =>
          Effect.sync(() => {
            metadata = without({ ...metadata, ...members })
          }),
        fail: (next, where = "") =>
          Effect.sync(() => {
            fault = { fault: next, where }
          }),
        recover: Effect.sync(() => {
          fault = undefined
        }),
        requests: Effect.sync(() => received),
        takeRequests: Effect.sync(() => {
          const taken = received
          received = []
          return taken
        }),
        skewClock: (by) =>
          Effect.sync(() => {
            skew = Duration.toMillis(Duration.fromInputUnsafe(by))
          })
      }
    }
  })

/**
 * The issuer, and an `HttpClient` that answers for it: provide both to `AuthLayer.layer`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<TestIssuer | HttpClient.HttpClient> =>
  Layer.effectContext(
    Effect.map(make(options), ({ client, issuer }) =>
      Context.make(TestIssuer, issuer).pipe(Context.add(HttpClient.HttpClient, client)))
  )

/**
 * The parts of a compact token, decoded, for forgeries that start from a good one.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeSegment = (value: unknown): string => base64url.encode(JSON.stringify(value))
