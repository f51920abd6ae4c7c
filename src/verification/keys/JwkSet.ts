/**
 * Fetches and caches the signing keys of an authorization server (RFC 7517).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { publicMembers, usableAlgorithms } from "../../crypto/PublicJwk.ts"
import * as Signature from "../../crypto/Signature.ts"
import { Discovery, type Source } from "../../outbound/Discovery.ts"
import { Fetcher } from "../../outbound/Fetcher.ts"
import { type DocumentError, fetchDocument } from "../../outbound/JsonDocument.ts"
import * as RefreshedDocument from "../../outbound/RefreshedDocument.ts"
import { type AuthorizationServerUnavailable, InvalidMetadata } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { isRecord } from "../../protocol/Json.ts"
import { sanitizeUrl } from "../../protocol/RemoteText.ts"
import * as monotonic from "../../store/MonotonicTime.ts"

/**
 * Describes the key that a token needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyHint {
  readonly algorithm: string
  readonly kid: string | undefined
  /** The accepted `issuer` values of a key, for providers whose keys have one (Entra ID). Keys with other values are ignored. */
  readonly issuers?: ReadonlyArray<string> | undefined
  /** `iat` of the token, in seconds, unverified. */
  readonly issuedAt?: number | undefined
  /** Keys that did not verify the signature of the token. */
  readonly excluded?: ReadonlyArray<Signature.PublicKey> | undefined
}

/**
 * Describes an authorization server whose keys are needed. The cache is keyed by this object, so keep the object for as long
 * as you use the authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeySource extends Source {
  /** The URL of its key set. Default: `jwks_uri` of its metadata. */
  readonly jwksUri: string | undefined
  /** Its key set. If this value is given, no keys are fetched. */
  readonly jwks: unknown
  /** The signature algorithms that its tokens may use. */
  readonly algorithms: ReadonlySet<string>
}

/**
 * Finds the keys that may have signed a token.
 *
 * **Details**
 *
 * A key is imported once for each algorithm while it remains in its set, and verifies tokens of its authorization server only.
 * If the set has neither a matching key nor the `kid`, it is fetched again. Later tokens cause another such fetch only after
 * `Freshness.unknownKidCooldown`, or after the backoff if the fetch failed. If the set cannot be fetched, or was not fetched
 * since the token was issued, the effect fails with `AuthorizationServerUnavailable`, because the token may be valid. An empty
 * list means that no key matches.
 *
 * A set without a usable key counts as a failed fetch. It does not replace the cached keys, which stay in use for at most
 * `Freshness.maxStale`.
 *
 * @category services
 * @since 0.1.0
 */
export class JwkSet extends Context.Service<JwkSet, {
  readonly find: (
    server: KeySource,
    hint: KeyHint
  ) => Effect.Effect<ReadonlyArray<Signature.PublicKey>, AuthorizationServerUnavailable | InvalidMetadata>
  /**
   * Creates a function that tells whether a key is still in the set, so that a cached verification can be reused. The function
   * returns a boolean while the set is fresh, and an effect if the set must be fetched first. The age of the set is measured in
   * monotonic time.
   */
  readonly isCurrent: (
    server: KeySource,
    key: Signature.PublicKey
  ) => () => boolean | Effect.Effect<boolean, AuthorizationServerUnavailable | InvalidMetadata>
  /**
   * Fetches the metadata and the keys. Fails if one of them cannot be fetched, or if no key has one of the accepted algorithms.
   */
  readonly load: (
    server: KeySource
  ) => Effect.Effect<void, AuthorizationServerUnavailable | InvalidMetadata>
  /** Returns the `kid` values of the cached keys, for messages to the operator. Sends no request. Default: unknown. */
  readonly keyIds?: ((server: KeySource) => ReadonlyArray<string>) | undefined
}>()("effect-mcp-auth/JwkSet") {}

/** Maximum number of keys in a set, because a document of 1 MiB can contain thousands. */
const maximum = 100

interface Key {
  /** Equal for the same key in two fetches of a set. */
  readonly identity: string
  readonly kid: string | undefined
  readonly issuer: unknown
  readonly algorithms: ReadonlyArray<string>
  readonly fits: (algorithm: string) => boolean
  readonly imported: (algorithm: string) => Effect.Effect<Signature.PublicKey | undefined>
}

type Keys = ReadonlyArray<Key>

/** The keys of one authorization server. */
interface KeySet {
  /** The URI of the next fetch. */
  uri: string | undefined
  loadedFrom: string | undefined
  loaded: Keys
  keys: RefreshedDocument.RefreshedDocument<Keys> | undefined
}

/**
 * Reads a key set. Keeps the keys that can verify access tokens, and skips all others.
 *
 * **Details**
 *
 * Skips symmetric keys, private keys, keys for encryption, keys with unknown curves, and keys with a member of the wrong type.
 * Skips RSA keys whose size is not 2048–8192 bits, whose exponent is even or below 65537, or that have the ROCA vulnerability.
 */
const readKeys = (json: unknown, importKey: Signature.ImportKey): Keys | "not-a-key-set" | "too-many-keys" => {
  if (!isRecord(json) || !Object.hasOwn(json, "keys") || !Array.isArray(json["keys"])) return "not-a-key-set"
  const entries: ReadonlyArray<unknown> = json["keys"]
  if (entries.length > maximum) return "too-many-keys"
  return entries.flatMap((entry) => {
    const algorithms = isRecord(entry) ? usableAlgorithms(entry) : []
    return algorithms.length === 0 ? [] : [makeKey(entry as Record<string, unknown>, algorithms, importKey)]
  })
}

/** Maps an imported key to the entry of the set that it was imported from. */
const origins = new WeakMap<Signature.PublicKey, Key>()

const makeKey = (
  jwk: Readonly<Record<string, unknown>>,
  algorithms: ReadonlyArray<string>,
  importKey: Signature.ImportKey
): Key => {
  // Keys are imported on first use, because each algorithm needs a separate import and few keys are used with more than one.
  const importedByAlgorithm = new Map<string, Signature.PublicKey | undefined>()
  const key: Key = {
    identity: JSON.stringify([jwk["kid"], jwk["issuer"], algorithms, publicMembers(jwk)]),
    kid: jwk["kid"] as string | undefined,
    issuer: jwk["issuer"],
    algorithms,
    fits: (algorithm) => algorithms.includes(algorithm),
    imported: (algorithm) =>
      importedByAlgorithm.has(algorithm)
        ? Effect.succeed(importedByAlgorithm.get(algorithm))
        : Effect.tap(importKey(publicMembers(jwk), algorithm), (imported) =>
          Effect.sync(() => {
            importedByAlgorithm.set(algorithm, imported)
            if (imported !== undefined) origins.set(imported, key)
          }))
  }
  return key
}

/** Reuses the entries of keys that are also in the new set, so that cached verifications with these keys stay valid. */
const carryOver = (before: Keys, after: Keys): Keys => {
  const known = new Map(before.map((key) => [key.identity, key]))
  return after.map((key) => known.get(key.identity) ?? key)
}

/** Tells whether a set has a key that can be imported for one of these algorithms. Imports keys until one succeeds. */
const isUsable = (keys: Keys, algorithms: ReadonlySet<string>, from: number = 0): Effect.Effect<boolean> => {
  const key = keys[from]
  if (key === undefined) return Effect.succeed(false)
  const algorithm = key.algorithms.find((_) => algorithms.has(_))
  return algorithm === undefined
    ? isUsable(keys, algorithms, from + 1)
    : Effect.flatMap(
      key.imported(algorithm),
      (imported) => imported === undefined ? isUsable(keys, algorithms, from + 1) : Effect.succeed(true)
    )
}

/**
 * Checks a key set of the configuration. Throws `AuthConfigError` if a key is not usable. In a fetched set, such keys are
 * skipped.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkConfigured = (jwks: unknown, option: string): void => {
  const keys = readKeys(jwks, Signature.importKey)
  const count = isRecord(jwks) && Array.isArray(jwks["keys"]) ? jwks["keys"].length : 0
  if (typeof keys !== "string" && keys.length > 0 && keys.length === count) return
  const problem = typeof keys === "string"
    ? "the value is not a JSON Web Key Set"
    : count === 0
    ? "the key set is empty"
    : `${count - keys.length} of ${count} keys cannot be used`
  throw ConfigOption.error(
    option,
    `${problem}; expected public signing keys only (RSA of 2048 bits or more, P-256, P-384, P-521, Ed25519). Give ` +
      "{ keys: [ … ] } without symmetric and private keys"
  )
}

/** Caches the sets that are fetched. */
const fetchedSets = (
  fetcher: Fetcher["Service"],
  importKey: Signature.ImportKey,
  remote: Effect.Success<typeof RefreshedDocument.factory>
) => {
  const sets = new Map<KeySource, KeySet>()

  /** Returns the set of a server. The same object is returned until the layer closes, because cached results refer to it. */
  const setOf = (server: KeySource): KeySet => {
    const known = sets.get(server)
    if (known !== undefined) return known
    const set: KeySet = { uri: server.jwksUri, loadedFrom: undefined, loaded: [], keys: undefined }
    sets.set(server, set)
    return set
  }

  const fetchKeys = (server: KeySource, set: KeySet): Effect.Effect<RefreshedDocument.Fetched<Keys>, DocumentError> =>
    Effect.suspend(() => {
      const uri = set.uri!
      const fail = (reason: InvalidMetadata["reason"], detail: string) =>
        Effect.fail(new InvalidMetadata({ reason, issuer: server.issuer, detail: `${sanitizeUrl(uri)} ${detail}` }))
      return Effect.flatMap(fetchDocument(fetcher, uri, server), ({ json, maxAge }) => {
        const read = readKeys(json, importKey)
        if (read === "too-many-keys") return fail(read, `has more than ${maximum} keys`)
        if (read === "not-a-key-set") return fail(read, "is not a JSON Web Key Set")
        const keys = carryOver(set.loaded, read)
        return Effect.flatMap(isUsable(keys, server.algorithms), (usable) => {
          if (!usable) return fail("no-usable-key", `has no usable key for ${[...server.algorithms].join(", ")}`)
          set.loaded = keys
          set.loadedFrom = uri
          return Effect.succeed({ value: keys, maxAge })
        })
      })
    })

  return {
    setOf,
    /**
     * Returns the set at the URI in the current metadata. If the URI changes, the keys of the old URI stay in use only while
     * the new set cannot be fetched.
     */
    setAt: (server: KeySource, uri: string): RefreshedDocument.RefreshedDocument<Keys> => {
      const set = setOf(server)
      set.uri = uri
      set.keys ??= remote({ issuer: server.issuer, document: "key set" }, fetchKeys(server, set))
      if (set.loadedFrom !== undefined && set.loadedFrom !== uri) set.keys.expire()
      return set.keys
    }
  }
}

/** Caches the sets of the configuration. */
const configuredSets = (importKey: Signature.ImportKey) => {
  const sets = new Map<KeySource, Keys>()
  return (server: KeySource): Keys => {
    const known = sets.get(server)
    if (known !== undefined) return known
    const keys = readKeys(server.jwks, importKey)
    const usable = typeof keys === "string" ? [] : keys
    sets.set(server, usable)
    return usable
  }
}

const matchingKeys = (keys: Keys, { algorithm, excluded, issuers, kid }: KeyHint): Keys =>
  keys.filter((key) =>
    (kid === undefined || key.kid === kid) && key.fits(algorithm) &&
    (issuers === undefined || key.issuer === undefined || issuers.includes(key.issuer as string)) &&
    excluded?.some((other) => origins.get(other) === key) !== true
  )

/** Tells whether a set has the `kid` of a token, even if that key cannot verify the token. */
const hasKid = (keys: Keys, { kid }: KeyHint): boolean => kid !== undefined && keys.some((key) => key.kid === kid)

const importUsable = (keys: Keys, algorithm: string): Effect.Effect<ReadonlyArray<Signature.PublicKey>> =>
  keys.length === 1
    ? Effect.mapEager(keys[0]!.imported(algorithm), (key) => key === undefined ? [] : [key])
    : Effect.map(
      Effect.forEach(keys, (key) => key.imported(algorithm)),
      (found) => found.filter((key) => key !== undefined)
    )

/**
 * Creates the service. Keys are fetched with the `Fetcher` and refreshed until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<JwkSet["Service"], never, Discovery | Fetcher | Scope.Scope> = Effect
  .gen(function*() {
    const discovery = yield* Discovery
    const clock = yield* Clock.Clock
    const importKey = yield* Signature.Signature
    const { setAt, setOf } = fetchedSets(yield* Fetcher, importKey, yield* RefreshedDocument.factory)
    const configuredKeys = configuredSets(importKey)

    const uriOf = (server: KeySource): Effect.Effect<string, DocumentError> =>
      server.jwksUri !== undefined
        ? Effect.succeed(server.jwksUri)
        : Effect.map(discovery.metadata(server, "jwks_uri"), (metadata) => metadata.jwks_uri!)

    return JwkSet.of({
      keyIds: (server) =>
        (server.jwks === undefined ? setOf(server).loaded : configuredKeys(server)).flatMap(({ kid }) => kid ?? []),
      isCurrent: (server, key) => {
        if (server.jwks !== undefined) return () => true
        const origin = origins.get(key)!
        const set = setOf(server)
        let current: Keys | undefined
        return () => {
          // This function does not read the metadata. If the `jwks_uri` in the metadata changes, the new set is fetched for the
          // next token that is not cached.
          const { keys } = set
          if (keys === undefined) return false
          const fresh = keys.fresh(monotonic.millisOf(clock))
          if (fresh === undefined) return Effect.map(keys.get, (keys) => keys.includes(origin))
          if (fresh === current) return true
          if (!fresh.includes(origin)) return false
          current = fresh
          return true
        }
      },
      load: (server) =>
        Effect.flatMap(
          server.jwks !== undefined
            ? Effect.succeed(configuredKeys(server))
            : Effect.flatMap(uriOf(server), (uri) => setAt(server, uri).get),
          (keys) =>
            keys.some((key) => [...server.algorithms].some(key.fits)) ? Effect.void : Effect.fail(
              new InvalidMetadata({
                reason: "no-usable-key",
                issuer: server.issuer,
                detail: `the key set has no key for ${[...server.algorithms].join(", ")}`
              })
            )
        ),
      find: (server, hint) => {
        if (server.jwks !== undefined) return importUsable(matchingKeys(configuredKeys(server), hint), hint.algorithm)
        return Effect.flatMap(uriOf(server), (uri) => {
          const set = setAt(server, uri)
          const started = set.started()
          const loadedBy = set.loadedBy()
          return Effect.flatMap(set.get, (keys) => {
            const found = matchingKeys(keys, hint)
            // The set is not fetched again if a fetch has loaded it during this call, and that fetch either started during the
            // call or started after `iat` of the token.
            const isFinal = found.length > 0 || hasKid(keys, hint) || set.loadedBy() > started ||
              (set.loadedBy() !== loadedBy && set.isLaterThan(hint.issuedAt, clock))
            if (isFinal) return importUsable(found, hint.algorithm)
            return Effect.flatMap(
              set.refetch(hint.issuedAt, (keys) => hasKid(keys, hint) || matchingKeys(keys, hint).length > 0),
              (again) => importUsable(matchingKeys(again, hint), hint.algorithm)
            )
          })
        })
      }
    })
  })

/**
 * Provides the service that `make` creates.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<JwkSet, never, Discovery | Fetcher> = Layer.effect(JwkSet, make)
