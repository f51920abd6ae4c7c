import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Algorithm } from "../../crypto/Algorithm.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as Forgery from "../Forgery.ts"
import * as TokenShape from "../TokenShape.ts"
import { defined, generate, type KeyPair, type KeyRing, segment, signSegments } from "./keys.ts"

/**
 * The contents of a token.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenOptions {
  /** The user that the token is for. Default: `alice`. */
  readonly subject?: string | undefined
  /** The granted scopes. Default: a token without scopes. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** The audience. Default: the resource of the issuer. */
  readonly audience?: string | ReadonlyArray<string> | undefined
  /** The client that the token is issued to. Default: `client-1`. */
  readonly clientId?: string | undefined
  /** The lifetime from now; negative for an expired token. Default: 5 minutes. */
  readonly expiresIn?: Duration.Input | undefined
  /** The thumbprint of the key that the token is bound to: `cnf.jkt` (RFC 9449 §6.1). Default: a bearer token. */
  readonly boundTo?: string | undefined
  /**
   * The signature algorithm. If the issuer has no key for it, the issuer generates and publishes one. Default: the algorithm of
   * the issuer.
   */
  readonly algorithm?: Algorithm | undefined
  /** Adds claims or replaces claims of the same name; `undefined` removes a claim. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Adds members to the protected header or replaces members of the same name; `undefined` removes a member. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
}

/**
 * The contents of an opaque token. Introspection returns its claims.
 *
 * @category models
 * @since 0.1.0
 */
export interface OpaqueOptions extends Omit<TokenOptions, "algorithm" | "header"> {
  /** The token itself. Default: 43 random characters. */
  readonly token?: string | undefined
}

/**
 * The contents of an ID token. Its audience is the client.
 *
 * @category models
 * @since 0.1.0
 */
export interface IdTokenOptions extends Omit<TokenOptions, "audience" | "boundTo" | "scopes"> {}

/**
 * The contents of an ID-JAG.
 *
 * @category models
 * @since 0.1.0
 */
export interface IdJagOptions extends Omit<TokenOptions, "audience" | "boundTo"> {
  /** The issuer of the authorization server that accepts the ID-JAG. Default: the issuer itself. */
  readonly audience?: string | undefined
  /** The resource identifier of the MCP server. Default: the resource of the issuer. */
  readonly resource?: string | undefined
}

/**
 * The contents of a token in the shape of a provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShapeOptions extends TokenOptions {
  /** Issues the token to a client without a user, as with client credentials. Default: `false`. */
  readonly machine?: boolean | undefined
}

/** The `typ` of an ID-JAG. */
export const idJagType = "oauth-id-jag+jwt"

/** The claims of a token that the issuer issued, and whether it was revoked. */
export interface Issued {
  readonly claims: Readonly<Record<string, unknown>>
  revoked: boolean
}

export interface Settings {
  readonly issuer: string
  readonly resource: string
  readonly algorithm: Algorithm
  readonly keys: KeyRing
}

type Claims = Readonly<Record<string, unknown>>

/** Creates the functions that issue tokens, and the record of issued tokens. */
export const make = ({ algorithm, issuer, keys, resource }: Settings) => {
  let count = 0
  let skew = 0
  const issued = new Map<string, Issued>()

  /** The time of the issuer's clock, in seconds since 1970. */
  const now = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor((millis + skew) / 1000))

  const register = (token: string, claims: Claims): string => {
    issued.set(token, { claims, revoked: false })
    return token
  }

  const getLifetime = (token: TokenOptions) =>
    Duration.toSeconds(toDuration(token.expiresIn ?? "5 minutes", "expiresIn"))

  const makeClaims = (token: TokenOptions, seconds: number): Record<string, unknown> =>
    defined({
      iss: issuer,
      sub: token.subject ?? "alice",
      aud: token.audience ?? resource,
      client_id: token.clientId ?? "client-1",
      iat: seconds,
      exp: seconds + getLifetime(token),
      jti: `jti-${++count}`,
      scope: token.scopes?.join(" "),
      cnf: token.boundTo === undefined ? undefined : { jkt: token.boundTo },
      ...token.claims
    })

  const makeHeader = (token: TokenOptions, key: KeyPair): Record<string, unknown> =>
    defined({ alg: key.algorithm, typ: "at+jwt", kid: key.kid, ...token.header })

  const signAndRegister = (key: KeyPair, header: Claims, claims: Claims): Effect.Effect<string> =>
    Effect.map(signSegments(key, segment(header), segment(claims)), (token) => register(token, claims))

  const makeContent = (token: ShapeOptions, seconds: number): TokenShape.Content => ({
    issuer,
    audience: token.audience ?? resource,
    subject: token.subject ?? "alice",
    clientId: token.clientId ?? "client-1",
    scopes: token.scopes ?? [],
    issuedAt: seconds,
    expiresAt: seconds + getLifetime(token),
    id: `${issuer} ${++count}`,
    machine: token.machine ?? false
  })

  const mintShaped = (
    provider: TokenShape.Provider,
    token: ShapeOptions,
    makeShapeClaims: (shape: TokenShape.TokenShape, content: TokenShape.Content) => Claims,
    isIdToken: boolean
  ): Effect.Effect<string> =>
    Effect.gen(function*() {
      ConfigOption.check(token, isIdToken ? "mintIdTokenLike" : "mintLike", shapeTable)
      const shape = TokenShape.shapes[provider]
      const content = makeContent(token, yield* now)
      const claims = defined({
        ...makeShapeClaims(shape, content),
        ...(token.boundTo === undefined ? {} : { cnf: { jkt: token.boundTo } }),
        ...token.claims
      })
      if (shape.opaque !== undefined && !isIdToken) return register(shape.opaque(content), claims)
      const key = yield* keys.findOrGenerate(token.algorithm ?? algorithm)
      const typ = isIdToken ? { typ: "JWT" } : {}
      const header = defined({ ...shape.header, ...typ, alg: key.algorithm, kid: key.kid, ...token.header })
      return yield* signAndRegister(key, header, claims)
    })

  return {
    issued,
    now,
    skewClock: (by: Duration.Input) =>
      Effect.sync(() => {
        skew = Duration.toMillis(toDuration(by, "skewClock"))
      }),
    mint: (token: TokenOptions = {}) =>
      Effect.gen(function*() {
        ConfigOption.check(token, "mint", table)
        const key = yield* keys.findOrGenerate(token.algorithm ?? algorithm)
        return yield* signAndRegister(key, makeHeader(token, key), makeClaims(token, yield* now))
      }),
    mintIdToken: (token: IdTokenOptions = {}) =>
      Effect.gen(function*() {
        ConfigOption.check(token, "mintIdToken", idTokenTable)
        const key = yield* keys.findOrGenerate(token.algorithm ?? algorithm)
        const seconds = yield* now
        const { client_id, ...claims } = makeClaims({ ...token, claims: {} }, seconds)
        return yield* signAndRegister(
          key,
          makeHeader({ ...token, header: { typ: "JWT", ...token.header } }, key),
          defined({ ...claims, aud: client_id, auth_time: seconds, ...token.claims })
        )
      }),
    mintIdJag: (options: IdJagOptions = {}) =>
      Effect.gen(function*() {
        ConfigOption.check(options, "mintIdJag", idJagTable)
        const { resource: named, ...token } = options
        const key = yield* keys.findOrGenerate(token.algorithm ?? algorithm)
        const claims = { resource: named ?? resource, ...token.claims }
        // Introspection must not report it as a token, so it is not registered.
        return yield* signSegments(
          key,
          segment(makeHeader({ ...token, header: { typ: idJagType, ...token.header } }, key)),
          segment(makeClaims({ ...token, audience: token.audience ?? issuer, claims }, yield* now))
        )
      }),
    mintOpaque: (token: OpaqueOptions = {}) =>
      Effect.map(now, (seconds) => {
        ConfigOption.check(token, "mintOpaque", opaqueTable)
        return register(token.token ?? segment(crypto.getRandomValues(new Uint8Array(32))), makeClaims(token, seconds))
      }),
    mintLike: (provider: TokenShape.Provider, token: ShapeOptions = {}) =>
      mintShaped(provider, token, (shape, content) => shape.claims(content), false),
    mintIdTokenLike: (provider: TokenShape.Provider, token: ShapeOptions = {}) =>
      mintShaped(provider, token, TokenShape.idTokenClaims, true),
    mintBroken: (kind: Forgery.Kind, token: TokenOptions = {}) =>
      Effect.gen(function*() {
        ConfigOption.check(token, "mintBroken", table)
        const seconds = yield* now
        const key = yield* keys.findOrGenerate(token.algorithm ?? algorithm)
        if (!Object.hasOwn(Forgery.forgeries, kind)) {
          return yield* Effect.die(
            new TypeError(
              `TestIssuer.mintBroken: there is no kind ${OptionValue.describe(kind)}. The kinds are ${
                Object.keys(Forgery.forgeries).join(", ")
              }`
            )
          )
        }
        return yield* Forgery.forgeries[kind].forge({
          issuer,
          resource,
          algorithm: key.algorithm,
          now: seconds,
          header: makeHeader(token, key),
          claims: makeClaims(token, seconds),
          key,
          untrustedKey: generate(key.algorithm, "untrusted")
        })
      }),
    sign: (header: Claims, claims: Claims) =>
      Effect.suspend(() => signSegments(keys.getCurrent(), segment(header), segment(claims))),
    signSegments: (header: string, claims: string) =>
      Effect.suspend(() => signSegments(keys.getCurrent(), header, claims)),
    revoke: (token: string) =>
      Effect.sync(() => {
        const known = issued.get(token)
        if (known !== undefined) known.revoked = true
      })
  }
}

const idTokenTable: ConfigOption.Table<keyof IdTokenOptions> = {
  subject: true,
  clientId: true,
  expiresIn: true,
  algorithm: true,
  claims: true,
  header: true
}

const idJagTable: ConfigOption.Table<keyof IdJagOptions> = {
  ...idTokenTable,
  audience: true,
  resource: true,
  scopes: true
}

const opaqueTable: ConfigOption.Table<keyof OpaqueOptions> = {
  subject: true,
  scopes: true,
  audience: true,
  clientId: true,
  expiresIn: true,
  boundTo: true,
  claims: true,
  token: true
}

const table: ConfigOption.Table<keyof TokenOptions> = {
  ...idTokenTable,
  audience: true,
  scopes: true,
  boundTo: true
}

const shapeTable: ConfigOption.Table<keyof ShapeOptions> = { ...table, machine: true }

const toDuration = (input: Duration.Input, option: string): Duration.Duration => {
  const duration = OptionValue.toDuration(input)
  if (duration !== undefined) return duration
  throw new TypeError(`TestIssuer: ${option}: ${OptionValue.isNot(input, "a duration")}. Write one such as "5 minutes"`)
}

export type Minter = ReturnType<typeof make>
