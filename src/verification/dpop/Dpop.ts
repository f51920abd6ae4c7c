/**
 * Tokens that are bound to a key of the client, and the proofs of that key (RFC 9449).
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Algorithm from "../../crypto/Algorithm.ts"
import { problemOf } from "../../crypto/AlgorithmNames.ts"
import * as base64url from "../../crypto/Base64Url.ts"
import * as publicJwk from "../../crypto/PublicJwk.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import * as Signature from "../../crypto/Signature.ts"
import {
  AuthConfigError,
  InvalidDpopProof,
  InvalidToken,
  MalformedRequest,
  type ReplayStoreUnavailable
} from "../../protocol/AuthError.ts"
import type { Credentials, Scheme } from "../../protocol/Credentials.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as uri from "../../protocol/UriNormalization.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { bindingOf, own } from "../claims/Claims.ts"
import type { Principal } from "../Principal.ts"
import * as dpopNonce from "./internal/nonce.ts"
import * as ReplayStore from "./ReplayStore.ts"

/**
 * What a server does about DPoP.
 *
 * **Details**
 *
 * - `"off"`: only Bearer tokens come in, and none that is bound to a key.
 * - `"optional"`: a token that is bound to a key comes in with a proof of it, every other one as a Bearer token.
 * - `"required"`: only tokens that are bound to a key come in. The metadata says so.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "off" | "optional" | "required"

/**
 * What can be configured. A mode alone stands for that mode with the defaults.
 *
 * **Example** (Bound to a key, with a nonce)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   dpop: { mode: "required", nonce: "required", window: "30 seconds" }
 * })
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Options = Mode | {
  readonly mode: Mode
  /** What proofs may be signed with. Default: every asymmetric algorithm that this library knows. */
  readonly algorithms?: ReadonlyArray<Algorithm.Algorithm> | undefined
  /** How old a proof may be. Default: 60 seconds. Together with `clockTolerance` at most 5 minutes. */
  readonly window?: Duration.Input | undefined
  /** How much the clock of a client may differ. Default: 30 seconds. */
  readonly clockTolerance?: Duration.Input | undefined
  /**
   * Whether a proof needs a nonce of this server (RFC 9449 §9), which shows that it was not made in advance. Costs a
   * client one more request whenever its nonce has ended. Default: `"off"`.
   */
  readonly nonce?: "off" | "required" | undefined
  /** How long a nonce is accepted. Default: 5 minutes. */
  readonly nonceLifetime?: Duration.Input | undefined
  /** What seals nonces, in every instance the same: 32 bytes or more. Default: random. */
  readonly nonceSecret?: Redacted.Redacted | undefined
  /** How many used proofs the memory holds; a store of your own knows its own limits. Default: 100,000. */
  readonly replayCapacity?: number | undefined
  /**
   * What a proxy in front cuts off the path, such as `/todos`: clients sign the URL that they call. The origin is always
   * that of the resource. Default: nothing.
   */
  readonly strippedPrefix?: string | undefined
}

/**
 * The options, checked and complete. Times in seconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly mode: Mode
  readonly algorithms: ReadonlyArray<Algorithm.Algorithm>
  readonly window: number
  readonly clockTolerance: number
  readonly nonce: { readonly lifetime: number; readonly secret: Redacted.Redacted | undefined } | undefined
  readonly replayCapacity: number
  readonly strippedPrefix: string
}

const modes: ReadonlyArray<unknown> = ["off", "optional", "required"]

const known = new Set([
  "mode",
  "algorithms",
  "window",
  "clockTolerance",
  "nonce",
  "nonceLifetime",
  "nonceSecret",
  "replayCapacity",
  "strippedPrefix"
])

/**
 * Checks the options.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settings = (options: Options = "off"): Result.Result<Settings, AuthConfigError> =>
  Result.gen(function*() {
    const fail = (reason: AuthConfigError["reason"], option: string, fix: string) =>
      Result.fail(new AuthConfigError({ reason, option: option === "" ? "dpop" : `dpop.${option}`, fix }))
    const given: Exclude<Options, Mode> = typeof options === "string" ? { mode: options } : options
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      return yield* fail(
        "malformed",
        "",
        `${OptionValue.isNot(given, "\"off\", \"optional\", \"required\" or an object with mode")}. ` +
          "Write one such as \"optional\""
      )
    }
    if (given.mode === undefined) {
      return yield* fail(
        "missing",
        "mode",
        "the value is missing. Write mode: \"optional\" or mode: \"required\" next to the other settings"
      )
    }
    if (!modes.includes(given.mode)) {
      return yield* fail(
        "malformed",
        typeof options === "string" ? "" : "mode",
        `${OptionValue.isNot(given.mode, "\"off\", \"optional\" or \"required\"")}. Write one of them`
      )
    }
    const unknown = Object.keys(given).find((_) => !known.has(_))
    if (unknown !== undefined) {
      return yield* fail(
        "malformed",
        unknown,
        OptionValue.noSuchOption(known)
      )
    }
    const superfluous = Object.entries(given).find(([name, value]) => name !== "mode" && value !== undefined)
    if (given.mode === "off" && superfluous !== undefined) {
      return yield* fail(
        "conflict",
        superfluous[0],
        "it has no effect with mode: \"off\". Write mode: \"optional\" or mode: \"required\", or remove it"
      )
    }
    const seconds = (name: "window" | "clockTolerance" | "nonceLifetime", fallback: number, least: number) => {
      const input = given[name]
      if (input === undefined) return Result.succeed(fallback)
      const duration = OptionValue.toDuration(input)
      const value = duration === undefined ? Number.NaN : Duration.toSeconds(duration)
      return value >= least && value <= 300
        ? Result.succeed(value)
        : fail(
          "malformed",
          name,
          `${OptionValue.isNot(input, `a duration from ${least === 0 ? "0" : "1 second"} to 5 minutes`)}. ` +
            `Write one such as "${fallback} seconds"`
        )
    }
    const window = yield* seconds("window", 60, 1)
    const clockTolerance = yield* seconds("clockTolerance", 30, 0)
    if (window + clockTolerance > 300) {
      return yield* fail(
        "insecure",
        "window",
        `window and clockTolerance add up to ${
          window + clockTolerance
        } seconds, and a stolen proof stays valid for that long. Reduce ` +
          "them to 300 seconds or less together"
      )
    }
    const algorithms = given.algorithms ?? Algorithm.all
    if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(Algorithm.isAlgorithm)) {
      return yield* fail("malformed", "algorithms", problemOf(given.algorithms))
    }
    if (given.nonce !== undefined && given.nonce !== "off" && given.nonce !== "required") {
      return yield* fail(
        "malformed",
        "nonce",
        `${OptionValue.isNot(given.nonce, "\"off\" or \"required\"")}. Leave it out for "off"`
      )
    }
    const lifetime = yield* seconds("nonceLifetime", 300, 1)
    if (given.nonceSecret !== undefined && !Redacted.isRedacted(given.nonceSecret)) {
      return yield* fail("malformed", "nonceSecret", "the value is not Redacted. Write Redacted.make(secret)")
    }
    const secret = given.nonceSecret
    if (secret !== undefined && new TextEncoder().encode(String(Redacted.value(secret))).length < 32) {
      return yield* fail(
        "insecure",
        "nonceSecret",
        "the secret has fewer than 32 bytes. Give the output of: openssl rand -base64 32"
      )
    }
    if (given.nonce !== "required" && (given.nonceLifetime ?? secret) !== undefined) {
      return yield* fail(
        "conflict",
        given.nonceLifetime === undefined ? "nonceSecret" : "nonceLifetime",
        "it has no effect without nonce: \"required\". Write that, or remove it"
      )
    }
    const replayCapacity = given.replayCapacity ?? 100_000
    if (!Number.isSafeInteger(replayCapacity) || replayCapacity < 100 || replayCapacity > 10_000_000) {
      return yield* fail(
        "malformed",
        "replayCapacity",
        `${OptionValue.isNot(replayCapacity, "a whole number from 100 to 10000000")}. Leave it out for 100000`
      )
    }
    const strippedPrefix = given.strippedPrefix ?? ""
    if (
      typeof strippedPrefix !== "string" ||
      (strippedPrefix !== "" && (strippedPrefix.endsWith("/") || uri.ofRequest(strippedPrefix) !== strippedPrefix))
    ) {
      return yield* fail(
        "malformed",
        "strippedPrefix",
        `${OptionValue.isNot(strippedPrefix, "a path without a slash at its end")}. Write one such as "/todos"`
      )
    }
    return {
      mode: given.mode,
      algorithms: [...new Set(algorithms)],
      window,
      clockTolerance,
      nonce: given.nonce === "required" ? { lifetime, secret } : undefined,
      replayCapacity,
      strippedPrefix
    }
  })

/**
 * What a proof is about, and the proof itself: every line of the `DPoP` header, as it came in. `path` is the path of the
 * request on this server, as it came in and before any router cut a prefix off; where it is unknown no proof is good.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly method: string
  readonly header: (name: string) => string | undefined
  readonly path?: string | undefined
  readonly dpop?: ReadonlyArray<string> | undefined
}

/**
 * What a proof, or a token without one, can end in.
 *
 * @category errors
 * @since 0.1.0
 */
export type ProofError = InvalidDpopProof | InvalidToken | ReplayStoreUnavailable | MalformedRequest

/**
 * Judges how a token is presented.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dpop {
  /** The schemes that count as credentials. */
  readonly schemes: ReadonlyArray<Scheme>
  /**
   * Checks the proof of a request, also for a principal that was verified before. `now` is the one reading of the wall clock
   * that the request is compared with, in milliseconds. `since` is the monotonic time at which it was taken or earlier, in
   * nanoseconds of the `Clock`.
   */
  readonly judge: (
    request: Request,
    credentials: Credentials,
    principal: Principal,
    now: number,
    since: bigint
  ) => Effect.Effect<void, ProofError>
}

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

/**
 * Without DPoP: Bearer tokens alone, and none that is bound to a key (RFC 9449 §7.2).
 *
 * @category constants
 * @since 0.1.0
 */
export const off: Dpop = {
  schemes: ["Bearer"],
  judge: (_request, _credentials, principal) => bindingOf(principal.claims) === undefined ? Effect.void : bound
}

/** Characters of a proof: one with the longest RSA key has half as many. */
const maximumLength = 8 * 1024

/** Characters of a `jti`, which has to be remembered. */
const maximumId = 256

/**
 * How much longer than a proof is fresh its use is kept, in milliseconds. It covers the time between the reading of the clock
 * and the answer of the store (`maximumWait`), and small steps and differences of clocks.
 */
const margin = 30_000

/** How long a request may take from the reading of the clock to the answer of the store, in milliseconds. */
const maximumWait = 20_000

/** Keys that are imported already: an import takes longer than a signature. */
const maximumKeys = 1_000

// A host and a port, and nothing that could be taken for more of a URL (RFC 9112 §3.2).
const host = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*(?::(\d*))?$|^\[[0-9A-Fa-f:.]+\](?::(\d*))?$/

const isHost = (value: string): boolean => {
  const parts = host.exec(value)
  const port = parts?.[1] ?? parts?.[2] ?? ""
  return parts !== null && (port === "" || uri.isPort(port))
}

/**
 * Makes it from checked settings.
 *
 * **Details**
 *
 * A proof is judged by RFC 9449 §4.3: one header line with one proof; its form, type and algorithm; a public key that is
 * fit and that the token is bound to; method, URL, time, `jti` and the hash of the token; the signature; the nonce, where
 * one is demanded; and last of all that it was not used before. The URL is the origin of the resource and the path of the
 * request: `Host` and `X-Forwarded-Host` have no say. Query and fragment of `htu` are ignored; a slash at the end of the
 * path is not.
 *
 * A Bearer token beside a `DPoP` header is a Bearer token.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  settings: Settings,
  resource: { readonly resource: string; readonly origin: string }
): Effect.Effect<Dpop> =>
  Effect.gen(function*() {
    if (settings.mode === "off") return off
    const { clockTolerance, strippedPrefix, window } = settings
    const importPublicKey = yield* Signature.Signature
    const configured = yield* ReplayStore.ReplayStore
    const store = configured === "memory" ? ReplayStore.memory(settings.replayCapacity) : configured
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

    const open = (lines: ReadonlyArray<string>) =>
      Result.gen(function*() {
        if (lines.length > 1) return yield* reject("several-proofs")
        const proof = (lines[0] ?? "").trim()
        if (proof === "") return yield* reject("proof-missing")
        if (proof.length > maximumLength) return yield* reject("proof-too-large")
        // Several header lines may arrive as one; a proof holds no comma.
        if (proof.includes(",")) return yield* reject("several-proofs")
        const parts = proof.split(".", 4)
        const header = parts.length === 3 ? base64url.decodeJsonObject(parts[0]!) : undefined
        const claims = header === undefined ? undefined : base64url.decodeJsonObject(parts[1]!)
        if (header === undefined || claims === undefined || !base64url.isCanonical(parts[2]!)) {
          return yield* reject("proof-malformed")
        }
        if (own(header, "typ") !== "dpop+jwt") return yield* reject("proof-type")
        const algorithm = own(header, "alg")
        if (!algorithms.has(algorithm)) return yield* reject("proof-algorithm")
        if (["crit", "b64", "zip", "enc"].some((name) => Object.hasOwn(header, name))) {
          return yield* reject("proof-critical-header")
        }
        const key = publicJwk.readEmbedded(own(header, "jwk"), algorithm as string)
        if (key === undefined) return yield* reject("proof-key")
        return { proof, algorithm: algorithm as string, key, claims }
      })

    const isMoment = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

    const verifyClaims = (
      claims: Readonly<Record<string, unknown>>,
      { method, path }: Request,
      tokenHash: string,
      now: number
    ) =>
      Result.gen(function*() {
        if (own(claims, "htm") !== method) return yield* reject("proof-method")
        const htu = own(claims, "htu")
        const expected = path === undefined ? undefined : uri.ofRequest(strippedPrefix + path)
        if (
          typeof htu !== "string" || expected === undefined || !path!.startsWith("/") ||
          uri.normalise(htu) !== resource.origin + expected
        ) {
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

    const hash = (text: string): Effect.Effect<string> => {
      const digest = sha256(text)
      return typeof digest === "string" ? Effect.succeed(digest) : Effect.promise(() => digest)
    }

    const prove = Effect.fnUntraced(function*(
      request: Request,
      token: Redacted.Redacted,
      thumbprint: string,
      owner: string,
      now: number,
      since: bigint
    ) {
      const { algorithm, claims, key, proof } = yield* Effect.fromResult(open(request.dpop ?? []))
      if ((yield* hash(key.thumbprintText)) !== thumbprint) return yield* boundToAnother
      const { jti, until } = yield* Effect.fromResult(
        verifyClaims(claims, request, yield* hash(Redacted.value(token)), now / 1000)
      )
      const imported = yield* importKey(key.jwk, thumbprint, algorithm)
      if (imported === undefined) return yield* Effect.fromResult(reject("proof-key"))
      if (!(yield* imported.verify(proof))) {
        return yield* Effect.fromResult(reject("proof-signature"))
      }
      if (nonces !== undefined && !(yield* nonces.accepts(own(claims, "nonce"), now, since))) {
        return yield* new InvalidDpopProof({ reason: "proof-nonce", nonce: yield* nonces.issue(now, since) })
      }
      if (!(yield* store.firstUse({ thumbprint, jti, owner, until, lifetime: until - now }))) {
        return yield* Effect.fromResult(reject("proof-replayed"))
      }
      // The store keeps a use for a limited time. After a longer wait it may have evicted an earlier use of this proof.
      if ((yield* monotonic.millis) - monotonic.millisOfNanos(since) > maximumWait) {
        return yield* Effect.fromResult(reject("proof-time"))
      }
    })

    return {
      schemes: settings.mode === "required" ? ["DPoP"] : ["DPoP", "Bearer"],
      judge: (request, { scheme, token }, principal, now, since) => {
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
