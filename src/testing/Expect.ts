/**
 * Assertions about responses, for every test runner. A failed assertion throws an `AssertionError` with the expected and the
 * actual response, and the reason for which the gate rejected the request, if it is known.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Decision } from "../authorization/Decision.ts"
import * as ProtectedResource from "../authorization/ProtectedResource.ts"
import * as Rejection from "../authorization/Rejection.ts"
import {
  AccessDenied,
  ApiKeyStoreUnavailable,
  AuthConfigError,
  type AuthError,
  AuthorizationServerUnavailable,
  InsufficientScope,
  InvalidApiKey,
  InvalidDpopProof,
  InvalidMetadata,
  InvalidToken,
  MalformedRequest,
  MissingCredentials,
  QuotaExceeded,
  QuotaStoreUnavailable,
  reasons as allReasons,
  ReplayStoreUnavailable,
  RevocationStoreUnavailable,
  SessionStoreUnavailable
} from "../protocol/AuthError.ts"
import * as Challenge from "../protocol/Challenge.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"

/**
 * A failed assertion. Test runners print the difference between `expected` and `actual`.
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
 * A response of a `TestClient`, a `Response`, or any object with a status and headers.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResponseLike {
  readonly status: number
  readonly headers: { readonly get: (name: string) => string | null } | Readonly<Record<string, unknown>>
  readonly decisions?: ReadonlyArray<Decision> | undefined
}

/**
 * The expected parameters of a challenge. An omitted parameter is compared with its default. If it has no default, it is not
 * compared.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExpectedChallenge {
  /** The status of the response. Default: 403 if `error` is `insufficient_scope`, 400 if it is `invalid_request`, otherwise either 401 or 403. */
  readonly status?: number | undefined
  /**
   * The `error` of the challenge. Default: `insufficient_scope` if the response has status 403, otherwise not compared. `null` expects a challenge without
   * `error`.
   */
  readonly error?:
    | "invalid_request"
    | "invalid_token"
    | "insufficient_scope"
    | "invalid_dpop_proof"
    | "use_dpop_nonce"
    | null
  /** The exact set of scopes, in any order. Default: not compared. */
  readonly scope?: ReadonlyArray<string> | undefined
  /** The URL of the metadata (`resource_metadata`). Default: not compared. */
  readonly resourceMetadata?: string | undefined
  /** The authentication scheme of the challenge. Default: `Bearer`. */
  readonly scheme?: string | undefined
}

/**
 * The reason of a rejection: a reason of an `AuthError`, or `origin` or `session`. For `origin` and `session`, the gate creates
 * no `AuthError`.
 *
 * @category models
 * @since 0.1.0
 */
export type RejectionReason = AuthError["reason"] | "origin" | "session"

const getHeader = ({ headers }: ResponseLike, name: string): string | undefined => {
  const { get } = headers as { readonly get?: unknown }
  const value: unknown = typeof get === "function"
    ? get.call(headers, name)
    : (headers as Record<string, unknown>)[name]
  return typeof value === "string" ? value : undefined
}

/** Describes a response in one line. */
const describe = (response: ResponseLike): string => {
  const challenge = getHeader(response, "www-authenticate")
  const rejection = getRejection(response)
  return `${response.status}, ${challenge === undefined ? "without a challenge" : `WWW-Authenticate: ${challenge}`}` +
    (rejection === undefined ? "" : ` (reason of the gate: ${rejection.reason}${explain(rejection)})`)
}

/** Shows the same explanation as the log of the server. */
const explain = ({ explanation, missing }: Decision): string => {
  // Decisions of other versions of the library may have no explanation.
  const { advice, checked, expected, receivedUnverified } = explanation ?? { advice: undefined }
  return [
    missing.length === 0 ? undefined : `missing scopes ${missing.join(" ")}`,
    checked === undefined ? undefined : `checked ${checked}`,
    expected === undefined ? undefined : `expected ${expected}`,
    receivedUnverified === undefined ? undefined : `received ${receivedUnverified}`,
    advice
  ].flatMap((part) => part === undefined ? [] : [`; ${part}`]).join("")
}

const getRejection = ({ decisions = [] }: ResponseLike): Decision | undefined =>
  decisions.filter(({ outcome }) => outcome === "rejected").at(-1)

/** Runs `check` on a response. If the subject is an effect or a promise, runs `check` later, on its result. */
const assertNowOrLater = (check: (response: ResponseLike) => void) => <T>(subject: T): T => {
  if (Effect.isEffect(subject)) {
    return Effect.tap(subject as Effect.Effect<ResponseLike>, (response) => Effect.sync(() => check(response))) as T
  }
  // Jest runs tests in a separate realm, where a promise of `fetch` is not an instance of `Promise`.
  if (typeof (subject as PromiseLike<ResponseLike>).then === "function") {
    return (subject as PromiseLike<ResponseLike>).then((response) => {
      check(response)
      return response
    }) as T
  }
  check(subject as ResponseLike)
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
 * const getRejection = Effect.gen(function*() {
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
): <T extends ResponseLike | Effect.Effect<ResponseLike, any, any> | Promise<ResponseLike>>(subject: T) => T => {
  ConfigOption.check(expected, "expectChallenge", challengeTable)
  return assertNowOrLater((response) => {
    const header = getHeader(response, "www-authenticate")
    if (header === undefined) {
      throw new ExpectationFailed(
        "expectChallenge",
        `expected a challenge, got ${describe(response)}`,
        expected,
        undefined
      )
    }
    const parsed = Challenge.parse(header)
    const expectedScheme = expected.scheme ?? "Bearer"
    const found = Result.getOrElse(parsed, (): ReadonlyArray<Challenge.Challenge> => [])
      .find(({ scheme }) => scheme.toLowerCase() === expectedScheme.toLowerCase())
    if (found === undefined) {
      const what = Result.isFailure(parsed) ? "a well-formed WWW-Authenticate header" : `a ${expectedScheme} challenge`
      throw new ExpectationFailed(
        "expectChallenge",
        `expected ${what}, got ${describe(response)}`,
        expectedScheme,
        header
      )
    }
    const error = found.parameters.get("error") ?? null
    const status = expected.status ??
      (expected.error === "insufficient_scope" ? 403 : expected.error === "invalid_request" ? 400 : undefined)
    const pairs: ReadonlyArray<readonly [string, unknown, unknown]> = [
      ["status", status ?? (response.status === 403 ? 403 : 401), response.status],
      ["error", expected.error === undefined && response.status === 403 ? "insufficient_scope" : expected.error, error],
      ["scope", toSorted(expected.scope), toSorted(Challenge.scopes(found))],
      ["resourceMetadata", expected.resourceMetadata, found.parameters.get("resource_metadata")]
    ]
    const compared = pairs.filter(([, value]) => value !== undefined)
    const different = compared.filter(([, value, got]) => JSON.stringify(value) !== JSON.stringify(got))
    if (different.length === 0) return
    throw new ExpectationFailed(
      "expectChallenge",
      `expected ${different.map(([name, value, got]) => `${name} ${show(value)} instead of ${show(got)}`).join(", ")}` +
        ` in ${describe(response)}`,
      Object.fromEntries(compared.map(([name, value]) => [name, value])),
      Object.fromEntries(compared.map(([name, , got]) => [name, got]))
    )
  })
}

// A misspelled parameter would not be compared.
const challengeTable: ConfigOption.Table<keyof ExpectedChallenge> = {
  status: true,
  error: true,
  scope: true,
  resourceMetadata: true,
  scheme: true
}

const toSorted = (scopes: ReadonlyArray<string> | undefined): ReadonlyArray<string> | undefined =>
  scopes === undefined ? undefined : [...new Set(scopes)].sort()

const show = (value: unknown): string =>
  Array.isArray(value) ? `"${value.join(" ")}"` : JSON.stringify(value) ?? "nothing"

/**
 * Expects a rejection for a reason.
 *
 * **Details**
 *
 * Responses never contain the reason. The assertion compares the reason if the server runs in the test (`TestClient.layer`) or
 * reports its decisions (`TestClient.decisions`). Otherwise it compares the status and the error code that belong to the
 * reason.
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
): <T extends ResponseLike | Effect.Effect<ResponseLike, any, any> | Promise<ResponseLike>>(subject: T) => T =>
  assertNowOrLater((response) => {
    const rejection = getRejection(response)
    if (rejection !== undefined) {
      if (rejection.reason === reason) return
      throw new ExpectationFailed(
        "expectRejected",
        `expected a rejection with the reason "${reason}" instead of "${rejection.reason}", got ${describe(response)}`,
        reason,
        rejection.reason
      )
    }
    const error = getErrorCode(getHeader(response, "www-authenticate"))
    const expected = getVisible(reason)
    if (expected.some((seen) => seen.status === response.status && seen.error === error)) return
    const words = expected.map((seen) => seen.error === undefined ? `${seen.status}` : `${seen.status} ${seen.error}`)
    throw new ExpectationFailed(
      "expectRejected",
      `expected a rejection with the reason "${reason}" (${words.join(" or ")}), got ${describe(response)}`,
      expected.length === 1 ? expected[0] : expected,
      { status: response.status, error }
    )
  })

interface Visible {
  readonly status: number
  readonly error: string | undefined
}

const getErrorCode = (header: string | undefined): string | undefined =>
  Result.getOrElse(Challenge.parse(header ?? ""), (): ReadonlyArray<Challenge.Challenge> => [])
    .find(({ parameters }) => parameters.has("error"))?.parameters.get("error")

const anyResource = Result.getOrThrow(
  ProtectedResource.make({ resource: "http://localhost/mcp", scopes: ["any"] }, ["http://localhost/issuer"])
)
const rejections = Rejection.make(anyResource, "auto")
const noCircumstances: Rejection.Circumstances = { principal: undefined, protocolVersion: undefined }

interface Errors {
  readonly reasons: ReadonlyArray<string>
  readonly make: (reason: never) => AuthError
}

/**
 * Contains, for each class of errors, its reasons and a function that creates an error from a reason. The other members of the
 * error have placeholder values, because they do not affect the status and the error code.
 */
const errors: { readonly [Tag in AuthError["_tag"]]: Errors } = {
  MissingCredentials: {
    reasons: allReasons.MissingCredentials,
    make: (reason) => new MissingCredentials({ reason })
  },
  MalformedRequest: { reasons: allReasons.MalformedRequest, make: (reason) => new MalformedRequest({ reason }) },
  InvalidToken: { reasons: allReasons.InvalidToken, make: (reason) => new InvalidToken({ reason }) },
  InvalidApiKey: { reasons: allReasons.InvalidApiKey, make: (reason) => new InvalidApiKey({ reason }) },
  ApiKeyStoreUnavailable: {
    reasons: allReasons.ApiKeyStoreUnavailable,
    make: (reason) => new ApiKeyStoreUnavailable({ reason, retryAfter: 1 })
  },
  InvalidDpopProof: {
    reasons: allReasons.InvalidDpopProof,
    make: (reason) => new InvalidDpopProof(reason === "proof-nonce" ? { reason, nonce: "any" } : { reason })
  },
  ReplayStoreUnavailable: {
    reasons: allReasons.ReplayStoreUnavailable,
    make: (reason) => new ReplayStoreUnavailable({ reason, retryAfter: 1 })
  },
  RevocationStoreUnavailable: {
    reasons: allReasons.RevocationStoreUnavailable,
    make: (reason) => new RevocationStoreUnavailable({ reason, retryAfter: 1 })
  },
  SessionStoreUnavailable: {
    reasons: allReasons.SessionStoreUnavailable,
    make: (reason) => new SessionStoreUnavailable({ reason, retryAfter: 1 })
  },
  QuotaExceeded: {
    reasons: allReasons.QuotaExceeded,
    make: (reason) => new QuotaExceeded({ reason, quota: "requests", retryAfter: 1 })
  },
  QuotaStoreUnavailable: {
    reasons: allReasons.QuotaStoreUnavailable,
    make: (reason) => new QuotaStoreUnavailable({ reason, retryAfter: 1 })
  },
  InsufficientScope: {
    reasons: allReasons.InsufficientScope,
    make: (reason) => new InsufficientScope({ reason, required: ["any"] })
  },
  AccessDenied: {
    reasons: allReasons.AccessDenied,
    make: (reason) => new AccessDenied({ reason, failed: ["any"] })
  },
  AuthorizationServerUnavailable: {
    reasons: allReasons.AuthorizationServerUnavailable,
    make: (reason) => new AuthorizationServerUnavailable({ reason, issuer: "", retryAfter: 1 })
  },
  InvalidMetadata: {
    reasons: allReasons.InvalidMetadata,
    make: (reason) => new InvalidMetadata({ reason, issuer: "", detail: "" })
  },
  AuthConfigError: {
    reasons: allReasons.AuthConfigError,
    make: (reason) => new AuthConfigError({ reason, option: "", fix: "" })
  }
}

/** Creates one error of each class that has this reason. Some reasons belong to several classes. */
const makeErrors = (reason: string): ReadonlyArray<AuthError> =>
  Object.values(errors).flatMap(({ make, reasons }) => reasons.includes(reason) ? [make(reason as never)] : [])

/** Returns every pair of status and error code with which the gate can reject a request for this reason. */
const getVisible = (reason: RejectionReason): ReadonlyArray<Visible> =>
  (reason === "origin"
    ? [Rejection.foreignOrigin]
    : reason === "session"
    ? [Rejection.unknownSession]
    : makeErrors(reason).map((error) => rejections.forError(error, noCircumstances))).map(({ headers, status }) => ({
      status,
      error: getErrorCode(headers["www-authenticate"])
    }))

/**
 * Expects an admitted request: a 2xx status, no JSON-RPC error and no failed tool.
 *
 * **Example** (The result of a tool)
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
export const expectAdmitted: <T extends ResponseLike | Effect.Effect<ResponseLike, any, any> | Promise<ResponseLike>>(
  subject: T
) => T = assertNowOrLater((response) => {
  const { error, result } = response as { readonly error?: unknown; readonly result?: { readonly isError?: boolean } }
  if (response.status >= 200 && response.status < 300 && error === undefined && result?.isError !== true) return
  const detail = error === undefined && result === undefined ? "" : ` ${JSON.stringify(error ?? result)}`
  throw new ExpectationFailed(
    "expectAdmitted",
    `expected the request to be admitted, got ${describe(response)}${detail}`,
    { status: 200 },
    { status: response.status, error, result }
  )
})
