/**
 * Assertions about what a client was told, for every test runner: what fails throws an `AssertionError` that says what was
 * expected, what came, and whatever is known of the reason.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Decision } from "../authorization/Decision.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as Rejection from "../authorization/Rejection.ts"
import {
  AuthConfigError,
  type AuthError,
  AuthorizationServerUnavailable,
  InsufficientScope,
  InvalidDpopProof,
  InvalidMetadata,
  InvalidToken,
  MalformedRequest,
  MissingCredentials,
  ReplayStoreUnavailable
} from "../protocol/AuthError.ts"
import * as Challenge from "../protocol/Challenge.ts"

/**
 * An assertion failed. Test runners print `expected` and `actual` as a difference.
 *
 * @category errors
 * @since 0.1.0
 */
export class ExpectationFailed extends Error {
  override readonly name = "AssertionError"
  readonly code = "ERR_ASSERTION"
  readonly actual: unknown
  readonly expected: unknown
  readonly operator: string
  readonly showDiff = true
  constructor(operator: string, message: string, expected: unknown, actual: unknown) {
    super(message)
    this.operator = operator
    this.expected = expected
    this.actual = actual
  }
}

/**
 * What can be looked at: an `Answer` of a `TestClient`, a `Response`, or anything with a status and headers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answered {
  readonly status: number
  readonly headers: { readonly get: (name: string) => string | null } | Readonly<Record<string, unknown>>
  readonly decisions?: ReadonlyArray<Decision> | undefined
}

/**
 * What a challenge should hold. What is left out is not looked at, but for `error`: a 401 without credentials has none.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExpectedChallenge {
  /** Default: 403 with `insufficient_scope`, 400 with `invalid_request`, else 401. */
  readonly status?: number | undefined
  /** Default: `insufficient_scope` where the answer is 403; on a 401 it is not looked at. `null`: there is none. */
  readonly error?:
    | "invalid_request"
    | "invalid_token"
    | "insufficient_scope"
    | "invalid_dpop_proof"
    | "use_dpop_nonce"
    | null
  /** Exactly these, in any order. */
  readonly scope?: ReadonlyArray<string> | undefined
  readonly resourceMetadata?: string | undefined
  /** Default: `Bearer`. */
  readonly scheme?: string | undefined
}

/**
 * Why a request was rejected: the closed set of `AuthError`, and the two rejections that have no error.
 *
 * @category models
 * @since 0.1.0
 */
export type RejectionReason = AuthError["reason"] | "origin" | "session"

const headerOf = ({ headers }: Answered, name: string): string | undefined => {
  const { get } = headers as { readonly get?: unknown }
  const value: unknown = typeof get === "function"
    ? get.call(headers, name)
    : (headers as Record<string, unknown>)[name]
  return typeof value === "string" ? value : undefined
}

/** Everything worth knowing of an answer, on one line. */
const describe = (answer: Answered): string => {
  const challenge = headerOf(answer, "www-authenticate")
  const reason = rejected(answer)?.reason
  return `${answer.status}, ${challenge === undefined ? "without a challenge" : `WWW-Authenticate: ${challenge}`}` +
    (reason === undefined ? "" : ` (reason of the gate: ${reason})`)
}

const rejected = ({ decisions = [] }: Answered): Decision | undefined =>
  decisions.filter(({ outcome }) => outcome === "rejected").at(-1)

/** Looks at a value now, at what comes of an effect or a promise when it comes. */
const whenever = (look: (answer: Answered) => void) => <T>(subject: T): T => {
  if (Effect.isEffect(subject)) {
    return Effect.tap(subject as Effect.Effect<Answered>, (answer) => Effect.sync(() => look(answer))) as T
  }
  // Jest runs tests in a realm of their own, where a promise of `fetch` is no instance of `Promise`.
  if (typeof (subject as PromiseLike<Answered>).then === "function") {
    return (subject as PromiseLike<Answered>).then((answer) => {
      look(answer)
      return answer
    }) as T
  }
  look(subject as Answered)
  return subject
}

/**
 * Expects a rejection with a challenge.
 *
 * **Example** (Step-up)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { expectChallenge, TestClient } from "effect-mcp-auth/testing"
 *
 * const rejected = Effect.gen(function*() {
 *   const client = yield* TestClient.TestClient
 *   return yield* client.callTool("add_todo", { title: "milk" }).pipe(
 *     TestClient.as({ subject: "alice", scopes: ["todos:read"] }),
 *     expectChallenge({ error: "insufficient_scope", scope: ["todos:read", "todos:write"] })
 *   )
 * })
 * ```
 *
 * @category assertions
 * @since 0.1.0
 */
export const expectChallenge = (
  expected: ExpectedChallenge = {}
): <T extends Answered | Effect.Effect<Answered, any, any> | Promise<Answered>>(subject: T) => T =>
  whenever((answer) => {
    const header = headerOf(answer, "www-authenticate")
    if (header === undefined) {
      throw new ExpectationFailed(
        "expectChallenge",
        `expected a challenge, got ${describe(answer)}`,
        expected,
        undefined
      )
    }
    const parsed = Challenge.parse(header)
    const wanted = expected.scheme ?? "Bearer"
    const found = Result.getOrElse(parsed, (): ReadonlyArray<Challenge.Challenge> => [])
      .find(({ scheme }) => scheme.toLowerCase() === wanted.toLowerCase())
    if (found === undefined) {
      const what = Result.isFailure(parsed) ? "a well-formed WWW-Authenticate header" : `a ${wanted} challenge`
      throw new ExpectationFailed("expectChallenge", `expected ${what}, got ${describe(answer)}`, wanted, header)
    }
    const error = found.parameters.get("error") ?? null
    const status = expected.status ??
      (expected.error === "insufficient_scope" ? 403 : expected.error === "invalid_request" ? 400 : undefined)
    const pairs: ReadonlyArray<readonly [string, unknown, unknown]> = [
      ["status", status ?? (answer.status === 403 ? 403 : 401), answer.status],
      ["error", expected.error === undefined && answer.status === 403 ? "insufficient_scope" : expected.error, error],
      ["scope", sorted(expected.scope), sorted(Challenge.scopes(found))],
      ["resourceMetadata", expected.resourceMetadata, found.parameters.get("resource_metadata")]
    ]
    const looked = pairs.filter(([, wanted]) => wanted !== undefined)
    const different = looked.filter(([, wanted, got]) => JSON.stringify(wanted) !== JSON.stringify(got))
    if (different.length === 0) return
    throw new ExpectationFailed(
      "expectChallenge",
      `expected ${
        different.map(([name, wanted, got]) => `${name} ${show(wanted)} instead of ${show(got)}`).join(", ")
      }` +
        ` in ${describe(answer)}`,
      Object.fromEntries(looked.map(([name, wanted]) => [name, wanted])),
      Object.fromEntries(looked.map(([name, , got]) => [name, got]))
    )
  })

const sorted = (scopes: ReadonlyArray<string> | undefined): ReadonlyArray<string> | undefined =>
  scopes === undefined ? undefined : [...new Set(scopes)].sort()

const show = (value: unknown): string =>
  Array.isArray(value) ? `"${value.join(" ")}"` : JSON.stringify(value) ?? "nothing"

/**
 * Expects a rejection for a reason.
 *
 * **Details**
 *
 * The reason is never on the wire: it is compared where the server runs in the test (`TestClient.layer`) or tells its decisions
 * otherwise. Elsewhere the status that belongs to the reason is compared, and the error code of the challenge.
 *
 * **Example** (An expired token)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { expectRejected, TestClient } from "effect-mcp-auth/testing"
 *
 * const late = Effect.gen(function*() {
 *   const client = yield* TestClient.TestClient
 *   return yield* client.listTools.pipe(
 *     TestClient.as({ subject: "alice", scopes: ["todos:read"], expiresIn: "-1 second" }),
 *     expectRejected("expired")
 *   )
 * })
 * ```
 *
 * @category assertions
 * @since 0.1.0
 */
export const expectRejected = (
  reason: RejectionReason
): <T extends Answered | Effect.Effect<Answered, any, any> | Promise<Answered>>(subject: T) => T =>
  whenever((answer) => {
    const told = rejected(answer)
    if (told !== undefined) {
      if (told.reason === reason) return
      throw new ExpectationFailed(
        "expectRejected",
        `expected a rejection with the reason "${reason}" instead of "${told.reason}", got ${describe(answer)}`,
        reason,
        told.reason
      )
    }
    const error = errorIn(headerOf(answer, "www-authenticate"))
    const expected = seenOf(reason)
    if (expected.some((seen) => seen.status === answer.status && seen.error === error)) return
    const words = expected.map((seen) => seen.error === undefined ? `${seen.status}` : `${seen.status} ${seen.error}`)
    throw new ExpectationFailed(
      "expectRejected",
      `expected a rejection with the reason "${reason}" (${words.join(" or ")}), got ${describe(answer)}`,
      expected.length === 1 ? expected[0] : expected,
      { status: answer.status, error }
    )
  })

interface Seen {
  readonly status: number
  readonly error: string | undefined
}

const errorIn = (header: string | undefined): string | undefined =>
  Result.getOrElse(Challenge.parse(header ?? ""), (): ReadonlyArray<Challenge.Challenge> => [])
    .find(({ parameters }) => parameters.has("error"))?.parameters.get("error")

const anyResource = Result.getOrThrow(
  ProtectedResource.make({ resource: "http://localhost/mcp", scopes: ["any"] }, ["http://localhost/issuer"])
)
const rejections = Rejection.make(anyResource, "auto")
const nothingKnown: Rejection.Circumstances = { principal: undefined, protocolVersion: undefined }

interface Errors {
  readonly reasons: ReadonlyArray<string>
  readonly make: (reason: never) => AuthError
}

/** How each error of the closed set is made from its reason alone: the rest of it is not seen in status and code. */
const errors: { readonly [Tag in AuthError["_tag"]]: Errors } = {
  MissingCredentials: {
    reasons: MissingCredentials.reasons,
    make: (reason) => new MissingCredentials({ reason })
  },
  MalformedRequest: { reasons: MalformedRequest.reasons, make: (reason) => new MalformedRequest({ reason }) },
  InvalidToken: { reasons: InvalidToken.reasons, make: (reason) => new InvalidToken({ reason }) },
  InvalidDpopProof: {
    reasons: InvalidDpopProof.reasons,
    make: (reason) => new InvalidDpopProof(reason === "proof-nonce" ? { reason, nonce: "any" } : { reason })
  },
  ReplayStoreUnavailable: {
    reasons: ReplayStoreUnavailable.reasons,
    make: (reason) => new ReplayStoreUnavailable({ reason, retryAfter: 1 })
  },
  InsufficientScope: {
    reasons: InsufficientScope.reasons,
    make: (reason) => new InsufficientScope({ reason, required: ["any"] })
  },
  AuthorizationServerUnavailable: {
    reasons: AuthorizationServerUnavailable.reasons,
    make: (reason) => new AuthorizationServerUnavailable({ reason, issuer: "", retryAfter: 1 })
  },
  InvalidMetadata: {
    reasons: InvalidMetadata.reasons,
    make: (reason) => new InvalidMetadata({ reason, issuer: "", detail: "" })
  },
  AuthConfigError: {
    reasons: AuthConfigError.reasons,
    make: (reason) => new AuthConfigError({ reason, option: "", fix: "" })
  }
}

/** A few reasons are those of several errors. */
const errorsOf = (reason: string): ReadonlyArray<AuthError> =>
  Object.values(errors).flatMap(({ make, reasons }) => reasons.includes(reason) ? [make(reason as never)] : [])

/** What is seen of a reason from outside: what the gate makes of it. */
const seenOf = (reason: RejectionReason): ReadonlyArray<Seen> =>
  (reason === "origin"
    ? [Rejection.foreignOrigin]
    : reason === "session"
    ? [Rejection.unknownSession]
    : errorsOf(reason).map((error) => rejections.forError(error, nothingKnown))).map(({ headers, status }) => ({
      status,
      error: errorIn(headers["www-authenticate"])
    }))

/**
 * Expects that a request came through: a status of success, and neither a JSON-RPC error nor a failed tool.
 *
 * **Example** (The tool's answer)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { expectAdmitted, TestClient } from "effect-mcp-auth/testing"
 *
 * const added = Effect.gen(function*() {
 *   const client = yield* TestClient.TestClient
 *   const { value } = yield* client.callTool("add_todo", { title: "milk" }).pipe(
 *     TestClient.as({ subject: "alice", scopes: ["todos:write"] }),
 *     expectAdmitted
 *   )
 *   return value
 * })
 * ```
 *
 * @category assertions
 * @since 0.1.0
 */
export const expectAdmitted: <T extends Answered | Effect.Effect<Answered, any, any> | Promise<Answered>>(
  subject: T
) => T = whenever((answer) => {
  const { error, result } = answer as { readonly error?: unknown; readonly result?: { readonly isError?: boolean } }
  if (answer.status >= 200 && answer.status < 300 && error === undefined && result?.isError !== true) return
  const detail = error === undefined && result === undefined ? "" : ` ${JSON.stringify(error ?? result)}`
  throw new ExpectationFailed(
    "expectAdmitted",
    `expected the request to be admitted, got ${describe(answer)}${detail}`,
    { status: 200 },
    { status: answer.status, error, result }
  )
})
