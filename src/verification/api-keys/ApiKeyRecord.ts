/**
 * Generates API keys, and checks the records that describe them.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { sha256 } from "../../crypto/Sha256.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { checkRoleNames } from "../claims/Roles.ts"

/**
 * Describes an API key. A record contains no secret: the key cannot be computed from its hash.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApiKeyRecord {
  /** The public part of the key, such as `mcp_0f1e2d3c4b5a69788796a5b4`. It is `Principal.clientId` of the caller. */
  readonly identifier: string
  /** The SHA-256 of the whole key, in base64url. */
  readonly hash: string
  /** The person or the program to which the key belongs. It is `Principal.subject` of the caller. */
  readonly subject: string
  /** The granted scopes. */
  readonly scopes: ReadonlyArray<string>
  /** When the key was generated, in seconds since 1970. A revocation of the subject revokes only the keys from before it. */
  readonly createdAt?: number | undefined
  /** When the key expires, in seconds since 1970. Default: never. */
  readonly expiresAt?: number | undefined
  /** The roles of the caller: `Principal.roles`. Default: none. */
  readonly roles?: ReadonlyArray<string> | undefined
  /**
   * The tenant to which the key belongs: `Principal.tenant` of the caller. With the option `tenants`, the server accepts only keys
   * with a tenant, and only for requests to that tenant. Without the option, it accepts only keys without a tenant. At most 256
   * visible characters of ASCII. Default: none.
   */
  readonly tenant?: string | undefined
  /** Further claims of the principal, such as `{ team: "billing" }`. JSON. Default: none. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/**
 * The options of `generate`.
 *
 * @category models
 * @since 0.1.0
 */
export interface GenerateOptions extends Pick<ApiKeyRecord, "subject" | "scopes" | "roles" | "tenant" | "claims"> {
  /** How long the key is valid. Default: until its record is removed. */
  readonly expiresIn?: Duration.Input | undefined
  /**
   * The beginning of the key, by which people and secret scanners recognize it: a lower-case letter, and at most 19 lower-case
   * letters and digits. Default: `mcp`.
   */
  readonly prefix?: string | undefined
}

/**
 * A new API key with its record.
 *
 * @category models
 * @since 0.1.0
 */
export interface Generated {
  /** The key. Show it to its owner once, and do not store it. */
  readonly key: Redacted.Redacted
  /** The record to store. */
  readonly record: ApiKeyRecord
}

const table = {
  subject: ConfigOption.rule(
    (_) => isText(_),
    "a text that is not empty and has no control characters",
    "Write the owner of the key, such as \"nightly-report\""
  ),
  scopes: ConfigOption.listOf(ScopeToken.isScopeToken, {
    entry: "a scope",
    entries: "scopes",
    advice: "A scope has no spaces, quotes or backslashes",
    example: "todos:read"
  }),
  roles: checkRoleNames,
  tenant: ConfigOption.rule(
    (_) => isTenant(_),
    "1 to 256 visible characters of ASCII",
    "Write the name of the tenant as requests name it, such as \"acme\""
  ),
  claims: ConfigOption.rule(OptionValue.isObject, "an object", "Leave it out for none"),
  expiresIn: ConfigOption.durationSuchAs("1 second", "36500 days", "90 days"),
  prefix: ConfigOption.withDefault(
    "mcp",
    (_) => typeof _ === "string" && /^[a-z][a-z0-9]{0,19}$/.test(_),
    "1 to 20 lower-case letters and digits that begin with a letter"
  )
} satisfies ConfigOption.Table<keyof GenerateOptions>

/**
 * Generates an API key: a prefix, a public identifier of 96 random bits, and a secret of 256 random bits. Fails with
 * `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * A key looks like `mcp_<24 hexadecimal digits>_<64 hexadecimal digits>`. The record contains the SHA-256 of the key. A slow
 * password hash would protect nothing more: it makes the guessing of a weak secret expensive, and 256 random bits cannot be
 * guessed at any speed.
 *
 * **Example** (A key for a nightly job)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { ApiKeys } from "effect-mcp-auth/api-keys"
 * import assert from "node:assert/strict"
 *
 * const { key, record } = await Effect.runPromise(
 *   ApiKeys.generate({ subject: "nightly-report", scopes: ["todos:read"], expiresIn: "90 days" })
 * )
 *
 * assert.ok(Redacted.value(key).startsWith(`${record.identifier}_`))
 * assert.ok(!JSON.stringify(record).includes(Redacted.value(key)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const generate = (options: GenerateOptions): Effect.Effect<Generated, AuthConfigError> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(ConfigOption.attempt(() => {
      ConfigOption.check(options, "ApiKeys.generate", table, "Give one with subject and scopes")
      for (const name of ["subject", "scopes"] as const) table[name](options[name], `ApiKeys.generate.${name}`)
    }))
    const { claims, expiresIn, prefix = table.prefix.default, roles, scopes, subject, tenant } = options
    const identifier = `${prefix}_${randomHex(12)}`
    const key = `${identifier}_${randomHex(32)}`
    const createdAt = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const record: ApiKeyRecord = {
      identifier,
      hash: yield* sha256(key),
      subject,
      scopes: [...scopes],
      createdAt,
      ...(expiresIn === undefined
        ? {}
        : { expiresAt: createdAt + Math.ceil(Duration.toSeconds(Duration.fromInputUnsafe(expiresIn))) }),
      ...(roles === undefined ? {} : { roles: [...roles] }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(claims === undefined ? {} : { claims })
    }
    return { key: Redacted.make(key, { label: "API key" }), record }
  })

const randomHex = (bytes: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/** The longest key is shorter. The limit keeps the pattern away from longer texts. */
const maximumLength = 128

const identifierPattern = /^[a-z][a-z0-9]{0,19}_[0-9a-f]{24}$/

const keyPattern = /^([a-z][a-z0-9]{0,19}_[0-9a-f]{24})_[0-9a-f]{64}$/

/** Returns the public identifier in the text of a key, or `undefined` if the text does not have the form of a key. */
export const identifierOf = (key: string): string | undefined =>
  key.length > maximumLength ? undefined : keyPattern.exec(key)?.[1]

/** Tells whether a value is a string that is not empty and has no control characters, as the subject of a token must be. */
const isText = (value: unknown): value is string => typeof value === "string" && value !== "" && !/\p{Cc}/u.test(value)

const isTenant = (value: unknown): value is string => typeof value === "string" && /^[\x21-\x7e]{1,256}$/.test(value)

/** Tells whether a value is a time in seconds since 1970. A time in milliseconds (of 2001 or later) is greater than the limit. */
const isTime = (value: unknown): boolean => typeof value === "number" && value >= 0 && value < 1e12

const isHash = (value: unknown): boolean => typeof value === "string" && /^[A-Za-z0-9_-]{43}$/.test(value)

const isScopes = (value: unknown): boolean =>
  Array.isArray(value) && value.every((scope) => typeof scope === "string" && ScopeToken.isScopeToken(scope))

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((text) => typeof text === "string")

type Member = Exclude<keyof ApiKeyRecord, "identifier">

const optionalMembers: ReadonlySet<string> = new Set<Member>(["createdAt", "expiresAt", "roles", "tenant", "claims"])

const members: { readonly [M in Member]: readonly [isValid: (value: unknown) => boolean, expected: string] } = {
  hash: [isHash, "the SHA-256 of the key in base64url (43 characters)"],
  subject: [isText, "a text that is not empty and has no control characters"],
  scopes: [isScopes, "a list of scopes"],
  createdAt: [isTime, "a time in seconds since 1970"],
  expiresAt: [isTime, "a time in seconds since 1970"],
  roles: [isTexts, "a list of texts"],
  tenant: [isTenant, "1 to 256 visible characters of ASCII"],
  claims: [OptionValue.isObject, "an object"]
}

/**
 * Returns a copy of a value that is a complete record, or what is wrong with it. A store can return any value. Each member is read
 * once, because a getter can return another value the second time. The text contains no value, because a value can be secret.
 */
export const readRecord = (value: unknown): Result.Result<ApiKeyRecord, string> => {
  if (!OptionValue.isObject(value)) return Result.fail("the value is not an object")
  const { identifier } = value as Partial<ApiKeyRecord>
  if (typeof identifier !== "string" || !identifierPattern.test(identifier)) {
    return Result.fail("identifier is not the public part of a key")
  }
  const record: Record<string, unknown> = { identifier }
  for (const [name, [isValid, expected]] of Object.entries(members)) {
    const member = (value as Record<string, unknown>)[name]
    if (member === undefined && optionalMembers.has(name)) continue
    if (!isValid(member)) {
      return Result.fail(`${name} is not ${expected}${optionalMembers.has(name) ? ". Leave it out for none" : ""}`)
    }
    record[name] = member
  }
  return Result.succeed(record as unknown as ApiKeyRecord)
}
