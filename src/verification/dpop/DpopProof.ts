/**
 * Checks proofs of possession of the key that a token is bound to (RFC 9449).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as compactJws from "../../crypto/CompactJws.ts"
import * as publicJwk from "../../crypto/PublicJwk.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import * as Signature from "../../crypto/Signature.ts"
import { InvalidDpopProof, InvalidToken, MalformedRequest } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as uri from "../../protocol/UriNormalization.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { bindingOf, own } from "../claims/Claims.ts"
import type { CountProof, Presentation, PublishedAt, Request } from "../tokens/Presentation.ts"
import type { Settings } from "./DpopOptions.ts"
import * as dpopNonce from "./internal/nonce.ts"
import type { Store } from "./ReplayStore.ts"

const unbound = Effect.fail(new InvalidToken({ reason: "not-bound-to-key" }))
const bound = Effect.fail(new InvalidToken({ reason: "bound-to-key" }))
const boundToAnother = Effect.fail(new InvalidToken({ reason: "bound-to-another-key" }))
const noHost = Effect.fail(new MalformedRequest({ reason: "host" }))

const failures = new Map<InvalidDpopProof["reason"], Result.Result<never, InvalidDpopProof>>()
const reject = (reason: InvalidDpopProof["reason"]): Result.Result<never, InvalidDpopProof> => {
  const known = failures.get(reason)
  if (known !== undefined) return known
  const failure = Result.fail(new InvalidDpopProof({ reason }))
  failures.set(reason, failure)
  return failure
}

/** The longest accepted proof, in characters. A proof with the longest accepted RSA key is about half as long. */
const maximumLength = 8 * 1024

/** The longest accepted `jti`, in characters. It is limited, because the store keeps it. */
const maximumId = 256

/**
 * How long the store keeps the record of a use after the proof has become stale, in milliseconds. Covers the time until the
 * store answers (`maximumWait`), and small steps and differences of clocks.
 */
const margin = 30_000

/** Maximum time from the start of a request until the store answers, in milliseconds. */
const maximumWait = 20_000

/** Maximum number of cached keys. Keys are cached, because importing a key takes longer than verifying a signature. */
const maximumKeys = 1_000

// Matches the value of a `Host` header: a host name or an address, and an optional port (RFC 9112 §3.2).
const host = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?::(\d*))?$|^\[[0-9A-Fa-f:.]+\](?::(\d*))?$/

const isHost = (value: string): boolean => {
  const parts = host.exec(value)
  const port = parts?.[1] ?? parts?.[2] ?? ""
  return parts !== null && (port === "" || uri.isPort(port))
}

/** The values that the claims of a proof are compared with. Times are in seconds. */
interface Expected extends Pick<Settings, "clockTolerance" | "window">, Pick<PublishedAt, "origin"> {
  readonly toPublicPath: NonNullable<PublishedAt["toPublicPath"]>
}

/** Reads the proof of a request, and checks its format, type, algorithm and key. */
const readProof = (lines: ReadonlyArray<string>, algorithms: ReadonlySet<unknown>) =>
  Result.gen(function*() {
    if (lines.length > 1) return yield* reject("several-proofs")
    const proof = (lines[0] ?? "").trim()
    if (proof === "") return yield* reject("proof-missing")
    if (proof.length > maximumLength) return yield* reject("proof-too-large")
    // Some platforms join several header lines with commas. A proof contains no comma.
    if (proof.includes(",")) return yield* reject("several-proofs")
    const jws = compactJws.decode(proof)
    if (jws === undefined) return yield* reject("proof-malformed")
    const { claims, header } = jws
    if (own(header, "typ") !== "dpop+jwt") return yield* reject("proof-type")
    const algorithm = own(header, "alg")
    if (!algorithms.has(algorithm)) return yield* reject("proof-algorithm")
    if (compactJws.hasUnsupportedHeader(header)) return yield* reject("proof-critical-header")
    const key = publicJwk.readEmbedded(own(header, "jwk"), algorithm as string)
    if (key === undefined) return yield* reject("proof-key")
    return { proof, algorithm: algorithm as string, key, claims }
  })

const isMoment = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

/** Checks the claims of a proof. Returns its `jti`, and the time until which its use must be kept. `now` is in seconds. */
const checkClaims = (
  claims: Readonly<Record<string, unknown>>,
  { clockTolerance, origin, toPublicPath, window }: Expected,
  { method, path }: Request,
  tokenHash: string,
  now: number
) =>
  Result.gen(function*() {
    if (own(claims, "htm") !== method) return yield* reject("proof-method")
    const htu = own(claims, "htu")
    const received = path === undefined ? undefined : uri.ofRequest(path)
    const expected = received === undefined ? undefined : toPublicPath(received)
    if (typeof htu !== "string" || expected === undefined || uri.normalise(htu) !== origin + expected) {
      return yield* reject("proof-url")
    }
    const iat = own(claims, "iat")
    if (!isMoment(iat) || iat < now - window - clockTolerance || iat > now + clockTolerance) {
      return yield* reject("proof-time")
    }
    const nbf = own(claims, "nbf")
    const exp = own(claims, "exp")
    if (nbf !== undefined && (!isMoment(nbf) || nbf > now + clockTolerance)) return yield* reject("proof-time")
    if (exp !== undefined && (!isMoment(exp) || exp <= now - clockTolerance)) return yield* reject("proof-time")
    const jti = own(claims, "jti")
    if (typeof jti !== "string" || jti === "" || jti.length > maximumId) return yield* reject("proof-id")
    if (own(claims, "ath") !== tokenHash) return yield* reject("proof-token")
    return { jti, until: Math.ceil((iat + window + clockTolerance) * 1000) + margin }
  })

/**
 * Creates the check of a presented token and its proof, from checked settings.
 *
 * **Details**
 *
 * Checks a proof according to RFC 9449 §4.3, in this order: one `DPoP` header with one proof; format, type and algorithm; a
 * usable public key that the token is bound to; method, URL, time, `jti` and the hash of the token; the signature; the nonce,
 * if one is required; and the first use. The expected URL consists of the origin of the resource and the public path of the
 * request (see `PublicUrl`). The headers `Host` and `X-Forwarded-Host` do not affect this URL. Query and fragment of `htu` are
 * ignored, but a trailing slash of the path is not.
 *
 * A token with the scheme `Bearer` is checked as a Bearer token, even if the request has a `DPoP` header.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  settings: Settings<unknown>,
  resource: PublishedAt,
  store: Store,
  countProof?: CountProof
): Effect.Effect<Presentation> =>
  Effect.gen(function*() {
    const expected: Expected = { ...settings, origin: resource.origin, toPublicPath: resource.toPublicPath ?? identity }
    const importPublicKey = yield* Signature.Signature
    const nonces = settings.nonce === undefined
      ? undefined
      : dpopNonce.make(settings.nonce.secret, resource.resource, settings.nonce.lifetime * 1000)
    const algorithms: ReadonlySet<unknown> = new Set(settings.algorithms)
    const keys = new BoundedMap<string, Signature.PublicKey>(maximumKeys)

    const importKey = Effect.fnUntraced(function*(
      jwk: Readonly<Record<string, unknown>>,
      thumbprint: string,
      algorithm: string
    ) {
      const name = `${algorithm} ${thumbprint}`
      const known = keys.get(name)
      if (known !== undefined) return known
      const key = yield* importPublicKey(jwk, algorithm)
      if (key === undefined) return undefined
      keys.set(name, key)
      return key
    })

    const prove = Effect.fnUntraced(function*(
      request: Request,
      token: Redacted.Redacted,
      thumbprint: string,
      owner: string,
      now: number,
      since: bigint
    ) {
      const { algorithm, claims, key, proof } = yield* Effect.fromResult(readProof(request.dpop ?? [], algorithms))
      if ((yield* sha256(key.thumbprintText)) !== thumbprint) return yield* boundToAnother
      const { jti, until } = yield* Effect.fromResult(
        checkClaims(claims, expected, request, yield* sha256(Redacted.value(token)), now / 1000)
      )
      const imported = yield* importKey(key.jwk, thumbprint, algorithm)
      if (imported === undefined) return yield* Effect.fromResult(reject("proof-key"))
      if (!(yield* imported.verify(proof))) {
        return yield* Effect.fromResult(reject("proof-signature"))
      }
      if (nonces !== undefined && !(yield* nonces.accepts(own(claims, "nonce"), now, since))) {
        return yield* new InvalidDpopProof({ reason: "proof-nonce", nonce: yield* nonces.issue(now, since) })
      }
      // Counted after the signature, so that only the holder of the key uses up the quota, and before the store keeps the proof.
      if (countProof !== undefined) yield* countProof(owner)
      const firstUse = store.firstUse({ thumbprint, jti, owner, until, lifetime: until - now })
      if (!(yield* OptionValue.toEffect(firstUse, "firstUse of the replay store"))) {
        return yield* Effect.fromResult(reject("proof-replayed"))
      }
      // The store keeps a use for a limited time. If the wait was longer than `maximumWait`, the store may have evicted an
      // earlier use of this proof before it answered.
      if ((yield* monotonic.millis) - monotonic.millisOfNanos(since) > maximumWait) {
        return yield* Effect.fromResult(reject("proof-time"))
      }
    })

    return {
      schemes: settings.mode === "required" ? ["DPoP"] : ["DPoP", "Bearer"],
      check: (request, { scheme, token }, principal, now, since) => {
        const binding = bindingOf(principal.claims)
        if (scheme === "Bearer") return binding === undefined ? Effect.void : bound
        if (binding === undefined) return unbound
        if (binding === "unusable") return bound
        const named = request.header("host")
        return named !== undefined && !isHost(named) ? noHost : prove(
          request,
          token,
          binding.thumbprint,
          principal.owner,
          now,
          since
        )
      }
    }
  })
