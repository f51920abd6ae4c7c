/**
 * Writes the rejection of a tool call into a tool result, with the envelope of the draft SEP-2643 if the author of the server wants it.
 *
 * @since 0.1.0
 */
import type { Request } from "./Caller.ts"
import type { Rejection } from "./Rejection.ts"

/* The gate and the servers load this file with the first such result. It imports only types, so a bundler that splits code moves no shared
 * module into one more chunk. */

/**
 * A tool result that is an error. Its `_meta` contains the challenge and the envelope, if there are any.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorResult {
  readonly content: ReadonlyArray<{ readonly type: "text"; readonly text: string }>
  readonly isError: true
  readonly _meta: Readonly<Record<string, unknown>>
}

const signIn = "Sign in to run this tool"

/** The first challenge of a caller without credentials. `Rejection.ts` writes it without an error (RFC 6750 §3.1). */
const withoutError = /^(Bearer|DPoP) (scope="[^"]*", )?(resource_metadata="[^"]*")/

/** The parts of the body of a rejection that a client shows. */
interface Content {
  readonly error_description?: string
  readonly scope?: string
}

/**
 * Makes the response of status 200 to the message of a request. ChatGPT starts a sign-in only if the challenge has `error` and
 * `error_description`, so they are added to the challenge of a caller without credentials, as in the example of OpenAI.
 *
 * With `structuredDenials`, the result contains the envelope of SEP-2643. Whether there is a remediation follows from the challenge, so
 * both always agree.
 *
 * Returns the rejection unchanged if the client would not read the result:
 *
 * - If the URL names a session of the HTTP+SSE transport (MCP 2024-11-05), the client expects the result on its stream. It ignores the
 *   body of a successful response, so the call would wait until it times out.
 * - If the client asked for a task (MCP 2025-11-25) and there is no challenge, the client reads no other result than a task.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  rejection: Rejection,
  message: Readonly<Record<string, unknown>>,
  request: Request,
  structuredDenials: boolean
): Rejection => {
  if (request.streams !== undefined && request.streams.length > 0) return rejection
  const protocolVersion = request.header("mcp-protocol-version")
  const challenge = rejection.headers["www-authenticate"]?.replace(
    withoutError,
    `$1 error="insufficient_scope", $2$3, error_description="${signIn}"`
  )
  const params = message["params"]
  if (challenge === undefined && typeof params === "object" && params !== null && Object.hasOwn(params, "task")) {
    return rejection
  }
  const content: Content = rejection.body === "" ? {} : JSON.parse(rejection.body)
  const { error_description: description = signIn, scope } = content
  return {
    ...rejection,
    status: 200,
    headers: { "cache-control": "no-store", "content-type": "application/json" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: message["id"],
      result: {
        // The revision 2026-07-28 introduced this member, and requires it.
        ...(protocolVersion !== undefined && protocolVersion >= "2026-07-28" ? { resultType: "complete" } : undefined),
        ...challenge === undefined
          ? denied(scope === undefined ? description : `${description}: ${scope}`)
          : errorResult(description, {
            "mcp/www_authenticate": [challenge],
            ...(structuredDenials ? envelope("available") : undefined)
          })
      }
    })
  }
}

/**
 * Makes the result of a tool call that is denied without a challenge.
 *
 * @category constructors
 * @since 0.1.0
 */
export const denied = (text: string): ErrorResult => errorResult(text, envelope("undisclosed"))

const errorResult = (text: string, meta: ErrorResult["_meta"]): ErrorResult => ({
  content: [{ type: "text", text }],
  isError: true,
  _meta: meta
})

/**
 * The envelope of a denial. It never says `unavailable`, because the server cannot know that no remediation exists: another person can
 * grant a role, and a check can pass later.
 */
const envelope = (remediation: "available" | "undisclosed") => ({
  "io.modelcontextprotocol/authorization": { reason: "insufficient_authorization", remediation }
})
