/**
 * Accepts API keys in addition to access tokens. A key has a public identifier and a secret. The server stores only a hash.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as CustomHeader from "../../protocol/CustomHeader.ts"
import { apiKeyIssuer } from "../Principal.ts"
import type { Authentication, Parts } from "./ApiKeyAuthentication.ts"
import type { Store } from "./ApiKeyStore.ts"
import * as ApiKeyVerifier from "./ApiKeyVerifier.ts"

export type { Authentication, KeyTenants, Parts, RevocationChecks } from "./ApiKeyAuthentication.ts"
export { generate } from "./ApiKeyRecord.ts"
export type { ApiKeyRecord, Generated, GenerateOptions } from "./ApiKeyRecord.ts"
export { memory, redis } from "./ApiKeyStore.ts"
export type { Store, WritableStore } from "./ApiKeyStore.ts"

/**
 * The value of `Principal.issuer` for the caller with an API key. It is not a URL, and no authorization server can have it as its
 * issuer, so a principal of an API key never equals a principal of an authorization server.
 *
 * @category constants
 * @since 0.1.0
 */
export const issuer: typeof apiKeyIssuer = apiKeyIssuer

/**
 * The options of `make`. `R` lists the services that the store requires.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<R = never> = CommonOptions<R> & (InHeader | InAuthorization)

/**
 * The options of `make`, without the place of the key.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonOptions<R = never> {
  /** Finds the record of a key: `ApiKeys.memory()`, `ApiKeys.redis(redis)`, a custom store, or an effect that makes one. */
  readonly store: Store | Effect.Effect<Store, AuthConfigError, R>
  /**
   * How long a record is reused, from 0 seconds to 5 minutes. A key whose record was removed is rejected after this time at the
   * latest, and its open streams end within this time and `revocationInterval`. Default: 30 seconds.
   */
  readonly cache?: Duration.Input | undefined
}

/**
 * Reads keys from a separate header.
 *
 * @category models
 * @since 0.1.0
 */
export interface InHeader {
  /** The name of the header, such as `x-api-key`. Headers with another meaning, such as `cookie`, are not allowed. */
  readonly header: string
  readonly scheme?: undefined
}

/**
 * Reads keys from the `Authorization` header: `Authorization: ApiKey <key>`. Challenges name this scheme after `Bearer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface InAuthorization {
  /** The scheme of the `Authorization` header. */
  readonly scheme: "ApiKey"
  readonly header?: undefined
}

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/ApiKeys"

/**
 * The value of the option `apiKeys`, which enables API keys. `R` lists the services that the layer then requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** Checks the options and makes the functions. */
  readonly make: (
    parts: Parts
  ) => Effect.Effect<Authentication, AuthConfigError, R | Scope.Scope>
}

const table = {
  store: ConfigOption.rule(
    (store) => Effect.isEffect(store) || isStore(store),
    "a store of API keys",
    "Write ApiKeys.memory(records), ApiKeys.redis(redis) or a custom store with find"
  ),
  cache: ConfigOption.duration("0 seconds", "5 minutes", "30 seconds"),
  header: (value, option) => {
    if (typeof value === "string" && value.toLowerCase() === "authorization") {
      throw ConfigOption.error(
        option,
        "API keys in Authorization have a scheme. Write scheme: \"ApiKey\" instead of header"
      )
    }
    CustomHeader.check(value, option)
  },
  scheme: ConfigOption.rule((_) => _ === "ApiKey", "\"ApiKey\"", "Write scheme: \"ApiKey\", or set header instead")
} satisfies ConfigOption.Table<keyof CommonOptions | keyof InHeader>

// A list has a function `find` as well.
const isStore = (store: unknown): store is Store =>
  !Array.isArray(store) && typeof (store as Partial<Store> | null | undefined)?.find === "function"

/**
 * Accepts API keys in addition to access tokens. If an option is invalid, the layer fails with `AuthConfigError`.
 *
 * **Details**
 *
 * A request has either a key or a token: both are rejected with 400. A wrong key is rejected with 401, also with
 * `anonymous: "allow-unscoped"`. If a key lacks a scope, the 403 has no challenge, because a sign-in cannot change the scopes of a
 * key. If the store is unavailable, the server answers 503.
 *
 * The principal of a key has the issuer `ApiKeys.issuer`, the subject of the record, and the identifier of the key as `clientId`.
 * All keys of a subject have one `owner`, which differs from the owner of a person with an access token. Each key has a separate
 * `key`, so sessions belong to one API key. `Principal.token` contains the public identifier instead of the key. To end the streams
 * and the cached record of one key at once, call `Gate.invalidate({ client: identifier })`.
 *
 * With the option `tenants`, a key belongs to the tenant that its record names. It is worth nothing at every other tenant, and a key
 * without a tenant is rejected. With `Tenants.fromClaim`, requests name no tenant, so the record alone decides.
 *
 * **Example** (A header beside access tokens)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { ApiKeys } from "effect-mcp-auth/api-keys"
 *
 * const keys = ApiKeys.memory()
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   apiKeys: ApiKeys.make({ store: keys, header: "x-api-key" })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(options: Options<R>): Mechanism<Exclude<R, Scope.Scope>> => {
  const checked = ConfigOption.attempt(() => {
    ConfigOption.check(options, "apiKeys", table, "Give one with store, and header or scheme")
    const { cache = table.cache.default, header, scheme, store } = options
    if (store === undefined) table.store(store, "apiKeys.store")
    if ((header === undefined) === (scheme === undefined)) {
      throw ConfigOption.error(
        "apiKeys",
        "exactly one of header and scheme must be set. Write header: \"x-api-key\" or scheme: \"ApiKey\"",
        header === undefined ? "missing" : "conflict"
      )
    }
    return { store, header: header?.toLowerCase(), cache: ApiKeyVerifier.cacheTime(cache) }
  })
  const value: Mechanism<R> = {
    [TypeId]: TypeId,
    make: (parts) =>
      Effect.gen(function*() {
        const { cache, header, store } = yield* Effect.fromResult(checked)
        const made: Store = Effect.isEffect(store) ? yield* store : store
        if (!isStore(made)) yield* Effect.fromResult(ConfigOption.attempt(() => table.store(made, "apiKeys.store")))
        return { header, read: readFrom(header), ...(yield* ApiKeyVerifier.make(made, cache, parts)) }
      })
  }
  // The type omits `Scope`, because the layer provides it.
  return value as Mechanism<Exclude<R, Scope.Scope>>
}

const several = Result.fail(new MalformedRequest({ reason: "several-credentials" }))
const malformed = Result.fail(new MalformedRequest({ reason: "api-key-header" }))

/**
 * Creates the function that reads a key from a separate header. Platforms join several lines of a header with a comma, which no
 * key contains.
 */
const readFrom = (header: string | undefined): Authentication["read"] => (request, hasToken) => {
  const value = header === undefined ? undefined : request.header(header)
  if (value === undefined || value === "") return undefined
  // Even if both are valid, an intermediary may have checked the other one.
  if (hasToken) return several
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(value)
    ? Result.succeed({ scheme: "ApiKey", token: Redacted.make(value, { label: "API key" }) })
    : malformed
}
