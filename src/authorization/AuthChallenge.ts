/**
 * Chooses how the rejection of a tool call reaches the client: as a status of HTTP, or inside a tool result.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { isRecord, own } from "../protocol/Json.ts"
import type { Request } from "./Caller.ts"

import type * as RejectedCall from "./RejectedCall.ts"
import type { Rejection } from "./Rejection.ts"

/**
 * The form of a challenge. `"http"`: status 401 or 403 with `WWW-Authenticate`. `"tool-result"`: status 200 with a tool result that is
 * an error, and the challenge in `_meta["mcp/www_authenticate"]`.
 *
 * @category models
 * @since 0.1.0
 */
export type ChallengeForm = "http" | "tool-result"

/**
 * The option `authChallenge`: a form, or a function that returns the form for a request.
 *
 * **Details**
 *
 * Only the challenge for a single `tools/call` request can be a tool result: for a caller without credentials, for an invalid or
 * expired token, and for a missing scope. Everything else is answered with the status of HTTP: other methods, batches,
 * notifications, errors of DPoP proofs and API keys, rejections without a challenge (see `structuredDenials`), and requests whose URL
 * names a session of the HTTP+SSE transport (MCP 2024-11-05), whose clients ignore a result in the response. The decision, its event and
 * its metrics are the same in both forms, and the handler does not run in either.
 *
 * To know the method and the id, the gate reads the body of a rejected `POST` request, within the limits that apply to every body.
 *
 * If the function throws or returns anything else, the gate logs a warning and answers with the status of HTTP.
 *
 * **Gotchas**
 *
 * A client sends headers as it likes, so do not base anything except the form on them. A separate path or host name for the clients
 * that need tool results is more reliable than `User-Agent`.
 *
 * @category models
 * @since 0.1.0
 */
export type AuthChallenge = ChallengeForm | ((request: ChallengedRequest) => ChallengeForm)

/**
 * The parts of a rejected request from which the function of `authChallenge` chooses the form.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChallengedRequest extends Pick<Request, "header" | "host" | "path"> {}

const fix = "Write \"http\", \"tool-result\", or a function from a request to one of them. Leave it out for \"http\""

/**
 * Checks the option `authChallenge`. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const check: ConfigOption.Rule = /*#__PURE__*/ ConfigOption.rule(
  (value) => value === "http" || value === "tool-result" || typeof value === "function",
  "\"http\", \"tool-result\" or a function",
  fix
)

/**
 * The options that put the rejection of a tool call into a tool result.
 *
 * @category models
 * @since 0.1.0
 */
export interface Forms {
  /** The form of a challenge. Default: `"http"`. */
  readonly authChallenge?: AuthChallenge | undefined
  /**
   * Whether denials without a challenge are tool results as well, and both kinds of results contain the envelope of SEP-2643.
   * Default: `false`.
   */
  readonly structuredDenials?: boolean | undefined
}

/**
 * Returns whether the rejection of a tool call can be a tool result. The body of a rejected request is then read.
 *
 * @category guards
 * @since 0.1.0
 */
export const allowsToolResults = ({ authChallenge, structuredDenials }: Forms): boolean =>
  (authChallenge !== undefined && authChallenge !== "http") || structuredDenials === true

/** Reads the parsed body of a request. */
export type ReadValue = () => Effect.Effect<{ readonly value: unknown }, unknown>

/**
 * Decides about a request. If the decision is the rejection of a tool call and the options require the other form, fails with a
 * rejection that is a tool result. `read` returns the same body as often as it is called.
 *
 * @category combinators
 * @since 0.1.0
 */
export const inForm = <A>(
  forms: Forms,
  request: Request,
  read: ReadValue | undefined,
  decision: Effect.Effect<A, Rejection>
): Effect.Effect<A, Rejection> =>
  !allowsToolResults(forms) || read === undefined || request.method !== "POST" ? decision : Effect.catch(
    decision,
    (rejection) => Effect.flatMap(toForm(forms, request, read, rejection), Effect.fail)
  )

const toForm = (
  { authChallenge = "http", structuredDenials = false }: Forms,
  request: Request,
  read: ReadValue,
  rejection: Rejection
): Effect.Effect<Rejection> =>
  Effect.flatMap(
    rejection.headers["www-authenticate"] === undefined
      ? Effect.succeed(structuredDenials && isDenial(rejection))
      : challenged.includes(rejection.error?._tag)
      ? prefersToolResult(authChallenge, request)
      : Effect.succeed(false),
    (isPreferred) =>
      isPreferred
        // If the body cannot be read, the credentials are still the first problem of the request.
        ? Effect.catchCause(
          Effect.flatMap(
            Effect.suspend(read),
            ({ value }) => toToolResult(rejection, value, request, structuredDenials)
          ),
          () => Effect.succeed(rejection)
        )
        : Effect.succeed(rejection)
  )

const prefersToolResult = (form: AuthChallenge, request: Request): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    let chosen: unknown = form
    try {
      if (typeof form === "function") {
        // Not the request of the gate, which has more members than the function may read.
        chosen = form({ header: (name) => request.header(name), host: request.host, path: request.path })
      }
    } catch (thrown) {
      chosen = thrown
    }
    return chosen === "http" || chosen === "tool-result"
      ? Effect.succeed(chosen === "tool-result")
      : Effect.as(
        Effect.logWarning(ConfigOption.invalid("authChallenge", chosen, "\"http\" or \"tool-result\"", fix)),
        false
      )
  })

/** The errors that a sign-in can remove. */
const challenged: ReadonlyArray<string | undefined> = ["MissingCredentials", "InvalidToken", "InsufficientScope"]

/**
 * Returns whether a policy denied the request. A hidden operation is not denied: it is unlisted, or the server answers that it does not
 * exist.
 */
const isDenial = ({ error }: Rejection): boolean =>
  error?._tag === "AccessDenied" || (error?._tag === "InsufficientScope" && error.reason === "missing-scope")

const toToolResult = (
  rejection: Rejection,
  message: unknown,
  request: Request,
  structuredDenials: boolean
): Effect.Effect<Rejection> =>
  isRecord(message) && own(message, "method") === "tools/call" && own(message, "id") !== undefined
    ? Effect.map(
      load,
      (module) => module?.make(rejection, message, request, structuredDenials) ?? rejection
    )
    : Effect.succeed(rejection)

let loaded: typeof RejectedCall | undefined

// Each caller starts a separate import, because in a Worker a request must not wait for another one. If the module cannot be
// loaded, the client receives the status of HTTP.
const load = Effect.suspend(() =>
  loaded !== undefined ?
    Effect.succeed(loaded) :
    Effect.promise(() => import("./RejectedCall.ts").then((module) => loaded = module, () => undefined))
)
