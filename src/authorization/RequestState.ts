/**
 * State that travels through the client: what a tool hands out with a question and gets back with the answer (MCP
 * multi-round-trip requests, task handles). A client can read, change, keep and pass on whatever it is given.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { compactDecrypt, CompactEncrypt } from "jose"
import * as base64url from "../crypto/Base64Url.ts"
import { AuthConfigError, MalformedRequest } from "../protocol/AuthError.ts"
import { Principal } from "../verification/Principal.ts"

/**
 * What a state is for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Purpose {
  /** The operation that hands the state out and takes it back, such as `tools/call plan_trip`. */
  readonly operation: string
  /** How long the client may take. Default: 10 minutes. */
  readonly lifetime?: Duration.Input | undefined
}

/**
 * Seals state for the caller of the current request.
 *
 * **When to use**
 *
 * In every handler that answers with `InputRequired` and a `requestState`: seal it going out, open it coming in.
 *
 * **Details**
 *
 * Sealed state is encrypted (A256GCM) and bound to the resource, to `Principal.key`, to the operation and to a time. State
 * of another resource or caller, for another operation, out of time, changed or made up fails with `MalformedRequest` of the
 * reason `"state"`, without saying which.
 *
 * **Gotchas**
 *
 * The key is made when the layer is built unless `stateSecret` is configured: several instances need a common one.
 *
 * Sealed state has at most 65,536 characters, which is about 48 KB of state. To seal more is a defect (a `RangeError`): keep
 * large data in a store and seal its key.
 *
 * **Example** (Out and in)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { AuthLayer, RequestState } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const purpose = { operation: "tools/call plan_trip" }
 *
 * const roundTrip = Effect.gen(function*() {
 *   const { open, seal } = yield* RequestState.make(
 *     Redacted.make("a secret of 32 bytes or more, from its place"),
 *     "https://trips.example.com/mcp"
 *   )
 *   const sealed = yield* seal("step 2 of 3", purpose)
 *   const elsewhere = yield* Effect.flip(open(sealed, { operation: "tools/call cancel_trip" }))
 *   return [yield* open(sealed, purpose), elsewhere.reason]
 * })
 *
 * const Caller = AuthLayer.mock({ subject: "alice", scopes: ["trips"] })
 * assert.deepStrictEqual(await Effect.runPromise(Effect.provide(roundTrip, Caller)), ["step 2 of 3", "state"])
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class RequestState extends Context.Service<RequestState, {
  readonly seal: (state: string, purpose: Purpose) => Effect.Effect<string, never, Principal>
  readonly open: (sealed: string, purpose: Purpose) => Effect.Effect<string, MalformedRequest, Principal>
}>()("effect-mcp-auth/RequestState") {}

const rejected = new MalformedRequest({ reason: "state" })

const defaultLifetime = Duration.minutes(10)

/** Longer sealed text is neither handed out nor opened. */
const maximumLength = 64 * 1024

const tooLong = (operation: string, length: number): RangeError =>
  new RangeError(
    `RequestState.seal: the sealed state of ${operation} has ${length} characters, at most ${maximumLength} can be ` +
      "opened again. Keep the data in a store and seal its key"
  )

/**
 * Makes the service of one resource, named by its resource identifier. The secret must have 32 bytes or more, as text;
 * without one a random key is used. Resources with the same secret cannot open each other's state: each has its own key,
 * which is derived from the secret and the identifier (HKDF, RFC 5869).
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  secret: Redacted.Redacted | undefined,
  resource: string
): Effect.Effect<RequestState["Service"], AuthConfigError> =>
  Effect.gen(function*() {
    const getKey = yield* deriveKey(secret, resource)
    return {
      seal: Effect.fnUntraced(function*(state, { lifetime, operation }) {
        const principal = yield* Principal
        const now = yield* Clock.currentTimeMillis
        const key = yield* getKey
        const until = now + Duration.toMillis(Duration.fromInputUnsafe(lifetime ?? defaultLifetime))
        const content = new TextEncoder().encode(JSON.stringify([principal.key, operation, until, state]))
        const sealed = yield* Effect.promise(() =>
          new CompactEncrypt(content).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(key)
        )
        return sealed.length > maximumLength ? yield* Effect.die(tooLong(operation, sealed.length)) : sealed
      }),
      open: Effect.fnUntraced(function*(sealed, { operation }) {
        const principal = yield* Principal
        const now = yield* Clock.currentTimeMillis
        if (sealed.length > maximumLength || !sealed.split(".").every(base64url.isCanonical)) {
          return yield* Effect.fail(rejected)
        }
        const key = yield* getKey
        const content = yield* Effect.tryPromise({
          try: () =>
            compactDecrypt(sealed, key, { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] }),
          catch: () => rejected
        })
        // Decrypted under our key, so it is the list that `seal` wrote.
        const [owner, purpose, until, state] = JSON.parse(new TextDecoder().decode(content.plaintext)) as [
          string,
          string,
          number,
          string
        ]
        return owner === principal.key && purpose === operation && now < until
          ? state
          : yield* Effect.fail(rejected)
      })
    }
  })

/** Checks the secret. The key is made when it is first needed: a Worker has no randomness while its module loads. */
const deriveKey = (
  secret: Redacted.Redacted | undefined,
  resource: string
): Effect.Effect<Effect.Effect<Uint8Array>, AuthConfigError> => {
  const bytes = secret === undefined ? undefined : new TextEncoder().encode(Redacted.value(secret))
  if (bytes !== undefined && bytes.length < 32) {
    return Effect.fail(
      new AuthConfigError({
        reason: "insecure",
        option: "stateSecret",
        fix: "give at least 32 random bytes as text, such as the output of: openssl rand -base64 32"
      })
    )
  }
  let key: Uint8Array | undefined
  return Effect.succeed(Effect.suspend(() => {
    if (key !== undefined) return Effect.succeed(key)
    return bytes === undefined
      ? Effect.succeed(key = crypto.getRandomValues(new Uint8Array(32)))
      : Effect.map(
        Effect.promise(async () =>
          crypto.subtle.deriveBits(
            {
              name: "HKDF",
              hash: "SHA-256",
              salt: new Uint8Array(0),
              info: new TextEncoder().encode(`effect-mcp-auth request state ${resource}`)
            },
            await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]),
            256
          )
        ),
        (bits) => key = new Uint8Array(bits)
      )
  }))
}
