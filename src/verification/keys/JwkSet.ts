/**
 * The signing keys of an authorization server (RFC 7517).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { publicMembers, usableAlgorithms } from "../../crypto/PublicJwk.ts"
import * as Signature from "../../crypto/Signature.ts"
import { Discovery, type Source } from "../../outbound/Discovery.ts"
import { Fetcher } from "../../outbound/Fetcher.ts"
import { type DocumentError, fetchDocument } from "../../outbound/JsonDocument.ts"
import * as Remote from "../../outbound/RefreshedDocument.ts"
import { AuthConfigError, type AuthorizationServerUnavailable, InvalidMetadata } from "../../protocol/AuthError.ts"
import { isRecord } from "../../protocol/Json.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import * as monotonic from "../../store/MonotonicTime.ts"

/**
 * What the header of a token says about its key.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyHint {
  readonly algorithm: string
  readonly kid: string | undefined
  /** Where keys name an `issuer` (Entra ID): the values that fit the token. A key that names another is none for it. */
  readonly issuers?: ReadonlyArray<string> | undefined
  /** The token's `iat`, in seconds and not verified. */
  readonly issuedAt?: number | undefined
  /** Keys that did not verify the signature of the token, so that another one is needed. */
  readonly excluded?: ReadonlyArray<Signature.PublicKey> | undefined
}

/**
 * What is needed to find the keys of an authorization server. Each value has its own cache entry: keep it for as long as you
 * use the server.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeySource extends Source {
  /** The URL of its key set. Default: `jwks_uri` of its metadata. */
  readonly jwksUri: string | undefined
  /** Its key set, which is then not fetched. */
  readonly jwks: unknown
  /** The signature algorithms that its tokens may use. */
  readonly algorithms: ReadonlySet<string>
}

/**
 * Finds the keys that may have signed a token.
 *
 * **Details**
 *
 * Keys are imported once per load of their set and belong to their authorization server alone. An unknown `kid` causes a
 * fetch, at most one in 30 seconds. If the set cannot be fetched at that moment, or was not fetched since the token was
 * issued, the error is `AuthorizationServerUnavailable`, because the token may be fine. An empty answer means: no such key.
 *
 * A set without a key that could verify a token of its server is an error, as a failed fetch is: it does not replace the
 * keys that were fetched before, which stay in use up to `Freshness.maxStale`.
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
   * Whether a key that was found is still in the set, for verdicts that are used again. At once while the set is fresh;
   * an effect where the set has to be fetched first. The age of the set is monotonic time.
   */
  readonly isCurrent: (
    server: KeySource,
    key: Signature.PublicKey
  ) => () => boolean | Effect.Effect<boolean, AuthorizationServerUnavailable | InvalidMetadata>
  /** Fetches the metadata and the keys, and fails where no token of this server could be verified. */
  readonly load: (
    server: KeySource
  ) => Effect.Effect<void, AuthorizationServerUnavailable | InvalidMetadata>
}>()("effect-mcp-auth/JwkSet") {}

/** At most this many keys in a set: a document of a megabyte can hold thousands of them. */
const maximum = 100

interface Key {
  /** Equal for equal entries of two loads of a set. */
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
  /** Where the next fetch goes. */
  uri: string | undefined
  loadedFrom: string | undefined
  loaded: Keys
  keys: Remote.Remote<Keys> | undefined
}

/**
 * Reads a key set: keeps the keys that may verify access tokens, and skips every other one without giving up the set.
 *
 * **Details**
 *
 * Skipped are symmetric and private keys, keys for encryption, RSA keys outside 2048–8192 bits, with an exponent below
 * 65537 or of the ROCA family, unknown curves, and keys with a member of the wrong type.
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

/** Which key of a set an imported key comes from. */
const origins = new WeakMap<Signature.PublicKey, Key>()

const makeKey = (
  jwk: Readonly<Record<string, unknown>>,
  algorithms: ReadonlyArray<string>,
  importKey: Signature.ImportKey
): Key => {
  // Each algorithm needs its own import, and few keys are ever used with more than one: import on first use.
  const imports = new Map<string, Signature.PublicKey | undefined>()
  const key: Key = {
    identity: JSON.stringify([jwk["kid"], jwk["issuer"], algorithms, publicMembers(jwk)]),
    kid: jwk["kid"] as string | undefined,
    issuer: jwk["issuer"],
    algorithms,
    fits: (algorithm) => algorithms.includes(algorithm),
    imported: (algorithm) =>
      imports.has(algorithm)
        ? Effect.succeed(imports.get(algorithm))
        : Effect.tap(importKey(publicMembers(jwk), algorithm), (imported) =>
          Effect.sync(() => {
            imports.set(algorithm, imported)
            if (imported !== undefined) origins.set(imported, key)
          }))
  }
  return key
}

/** What stays in a set keeps its imports, and what was verified with it stays verified. */
const carryOver = (before: Keys, after: Keys): Keys => {
  const known = new Map(before.map((key) => [key.identity, key]))
  return after.map((key) => known.get(key.identity) ?? key)
}

/** Whether a set has a key for one of these algorithms, by importing keys until one can be used. */
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
 * Checks a key set that stands in the configuration: unlike a fetched one it must be right as a whole.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkConfigured = (jwks: unknown, option: string): Result.Result<void, AuthConfigError> => {
  const keys = readKeys(jwks, Signature.importKey)
  const count = isRecord(jwks) && Array.isArray(jwks["keys"]) ? jwks["keys"].length : 0
  return typeof keys === "string" || keys.length === 0 || keys.length < count
    ? Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option,
        fix: `${
          typeof keys === "string"
            ? "the value is not a JSON Web Key Set"
            : count === 0
            ? "the key set is empty"
            : `${count - keys.length} of ${count} keys cannot be used`
        }; expected public signing keys only (RSA of 2048 bits or more, P-256, P-384, P-521, Ed25519). Give ` +
          "{ keys: [ … ] } without symmetric and private keys"
      })
    )
    : Result.succeed(undefined)
}

/**
 * Finds the keys of authorization servers through the `HttpClient`, and refreshes them until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<JwkSet["Service"], never, Discovery | Fetcher | Scope.Scope> = Effect
  .gen(function*() {
    const fetcher = yield* Fetcher
    const discovery = yield* Discovery
    const importKey = yield* Signature.Signature
    const remote = yield* Remote.factory
    const clock = yield* Clock.Clock
    const sets = new Map<KeySource, KeySet>()

    /** Of a server, stays the same for as long as the layer: verdicts hold on to it. */
    const setOf = (server: KeySource): KeySet => {
      const known = sets.get(server)
      if (known !== undefined) return known
      const set: KeySet = { uri: server.jwksUri, loadedFrom: undefined, loaded: [], keys: undefined }
      sets.set(server, set)
      return set
    }

    const fetchKeys = (server: KeySource, set: KeySet): Effect.Effect<Remote.Fetched<Keys>, DocumentError> =>
      Effect.suspend(() => {
        const uri = set.uri!
        const fail = (reason: InvalidMetadata["reason"], detail: string) =>
          Effect.fail(new InvalidMetadata({ reason, issuer: server.issuer, detail: `${sanitize(uri)} ${detail}` }))
        return Effect.flatMap(fetchDocument(fetcher, uri, server), ({ json, maxAge }) => {
          const read = readKeys(json, importKey)
          if (read === "too-many-keys") return fail(read, `has more than ${maximum} keys, which is the limit`)
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

    /**
     * The set at the URI that the metadata names today. When that changes, the keys of the old URI are used only while the
     * new one cannot be fetched.
     */
    const setAt = (server: KeySource, uri: string): Remote.Remote<Keys> => {
      const set = setOf(server)
      set.uri = uri
      set.keys ??= remote({ issuer: server.issuer, document: "key set" }, fetchKeys(server, set))
      if (set.loadedFrom !== undefined && set.loadedFrom !== uri) set.keys.expire()
      return set.keys
    }

    const uriOf = (server: KeySource): Effect.Effect<string, DocumentError> =>
      server.jwksUri !== undefined
        ? Effect.succeed(server.jwksUri)
        : Effect.map(discovery.metadata(server, "jwks_uri"), (metadata) => metadata.jwks_uri!)

    const fitting = (keys: Keys, { algorithm, excluded, issuers, kid }: KeyHint): Keys =>
      keys.filter((key) =>
        (kid === undefined || key.kid === kid) && key.fits(algorithm) &&
        (issuers === undefined || key.issuer === undefined || issuers.includes(key.issuer as string)) &&
        excluded?.some((other) => origins.get(other) === key) !== true
      )

    /** Whether a set has the `kid` of a token, be the key fit for it or not: a key of another id is none for it. */
    const isKnown = (keys: Keys, { kid }: KeyHint): boolean => kid !== undefined && keys.some((key) => key.kid === kid)

    const imported = (keys: Keys, algorithm: string): Effect.Effect<ReadonlyArray<Signature.PublicKey>> =>
      keys.length === 1
        ? Effect.mapEager(keys[0]!.imported(algorithm), (key) => key === undefined ? [] : [key])
        : Effect.map(
          Effect.forEach(keys, (key) => key.imported(algorithm)),
          (found) => found.filter((key) => key !== undefined)
        )

    const configured = new Map<KeySource, Keys>()
    const configuredKeys = (server: KeySource): Keys => {
      const known = configured.get(server)
      if (known !== undefined) return known
      const keys = readKeys(server.jwks, importKey)
      const usable = typeof keys === "string" ? [] : keys
      configured.set(server, usable)
      return usable
    }

    return JwkSet.of({
      isCurrent: (server, key) => {
        if (server.jwks !== undefined) return () => true
        const origin = origins.get(key)!
        const place = setOf(server)
        let held: Keys | undefined
        return () => {
          // Where the metadata names another set by now is noticed by the next token that is not remembered.
          const set = place.keys
          if (set === undefined) return false
          const fresh = set.fresh(monotonic.millisOf(clock))
          if (fresh === undefined) return Effect.map(set.get, (keys) => keys.includes(origin))
          if (fresh === held) return true
          if (!fresh.includes(origin)) return false
          held = fresh
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
        if (server.jwks !== undefined) return imported(fitting(configuredKeys(server), hint), hint.algorithm)
        return Effect.flatMap(uriOf(server), (uri) => {
          const set = setAt(server, uri)
          const started = set.started()
          const loadedBy = set.loadedBy()
          return Effect.flatMap(set.get, (keys) => {
            const found = fitting(keys, hint)
            // A set that was fetched for this very token needs no second look. A fetch that was already running counts, too,
            // unless the token may be newer.
            const isFinal = found.length > 0 || isKnown(keys, hint) || set.loadedBy() > started ||
              (set.loadedBy() !== loadedBy && set.isLaterThan(hint.issuedAt, clock))
            if (isFinal) return imported(found, hint.algorithm)
            return Effect.flatMap(
              set.refetch(hint.issuedAt, (keys) => isKnown(keys, hint) || fitting(keys, hint).length > 0),
              (again) => imported(fitting(again, hint), hint.algorithm)
            )
          })
        })
      }
    })
  })

/**
 * The service that `make` builds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<JwkSet, never, Discovery | Fetcher> = Layer.effect(JwkSet, make)
