/**
 * Encrypts the values of another store.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as seals from "../../crypto/Seal.ts"
import { isValue, limits } from "./RecordLimits.ts"
import type { RecordStoreUnavailable, Store } from "./RecordStore.ts"

/**
 * Encrypts and authenticates values. Use it for a key management service.
 *
 * @category models
 * @since 0.1.0
 */
export interface Seal {
  /** Encrypts a value. The result can be opened only with the same context, which is the key of the record. */
  readonly seal: (value: string, context: string) => Effect.Effect<string, RecordStoreUnavailable>
  /** Decrypts a value. Returns `undefined` for a value that was changed, or that was sealed with another context or secret. */
  readonly open: (sealed: string, context: string) => Effect.Effect<string | undefined, RecordStoreUnavailable>
}

/**
 * Seals with AES-256-GCM. The key is derived from a secret of at least 32 random bytes by HKDF-SHA-256.
 *
 * **Details**
 *
 * The first secret seals. All of them open, so that a secret can be replaced: add the new one at the end on every instance, then
 * move it to the front. Values of a removed secret can no longer be opened.
 *
 * @category constructors
 * @since 0.1.0
 */
export const withSecrets = (
  first: Redacted.Redacted,
  ...others: ReadonlyArray<Redacted.Redacted>
): Seal => {
  const purpose = "effect-mcp-auth/records"
  const current = seals.make(first, purpose)
  const all = [current, ...others.map((secret) => seals.make(secret, purpose))]
  return {
    seal: current.seal,
    open: (sealed, context) =>
      Effect.gen(function*() {
        for (const seal of all) {
          const value = yield* seal.open(sealed, context)
          if (value !== undefined) return value
        }
        return undefined
      })
  }
}

/**
 * Creates a store that seals its values before it passes them to another store. The key of a record is authenticated, so a value
 * that was copied to another key cannot be opened.
 *
 * **Details**
 *
 * A record that cannot be opened is absent, and the store logs a warning without its content. A write that expects `"absent"`
 * replaces it.
 *
 * **Gotchas**
 *
 * Keys are not sealed. Do not write secrets into them. A sealed value is a third longer than the value in UTF-8, so values can have
 * at most about 196,000 bytes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (store: Store, { open, seal }: Seal): Store => {
  const warning = Effect.logWarning(
    "A record of the store cannot be opened: it was changed, moved, or sealed with a secret that is no longer listed"
  )
  return {
    get: (key) =>
      Effect.flatMap(store.get(key), (found) => {
        if (found === undefined) return Effect.undefined
        return Effect.flatMap(open(found.value, key), (value) =>
          value === undefined ? Effect.as(warning, undefined) : Effect.succeed({ value, version: found.version }))
      }),
    put: (key, value, { expected, lifetime }) =>
      !isValue(value) ? limits : Effect.flatMap(
        seal(value, key),
        (sealed) =>
          Effect.flatMap(store.put(key, sealed, { lifetime, expected }), (version) => {
            if (version !== undefined || expected !== "absent") return Effect.succeed(version)
            return Effect.flatMap(store.get(key), (found) => {
              if (found === undefined) return Effect.undefined
              return Effect.flatMap(
                open(found.value, key),
                (opened) =>
                  opened === undefined
                    ? store.put(key, sealed, { lifetime, expected: found.version })
                    : Effect.undefined
              )
            })
          })
      ),
    remove: store.remove
  }
}
