import type { Rejection } from "../Rejection.ts"

/* Writes a challenge into a tool result. `AuthChallenge.ts` loads this file with the first such result. It imports only types, so a
 * bundler that splits code moves no shared module into one more chunk. */

const signIn = "Sign in to run this tool"

/** The first challenge of a caller without credentials. `Rejection.ts` writes it without an error (RFC 6750 §3.1). */
const withoutError = /^(Bearer|DPoP) (scope="[^"]*", )?(resource_metadata="[^"]*")/

/**
 * Makes the response of status 200 to the request `id`. ChatGPT starts a sign-in only if the challenge has `error` and
 * `error_description`, so they are added to the challenge of a caller without credentials, as in the example of OpenAI.
 */
export const make = (rejection: Rejection, id: unknown, protocolVersion: string | undefined): Rejection => {
  const challenge = rejection.headers["www-authenticate"]!.replace(
    withoutError,
    `$1 error="insufficient_scope", $2$3, error_description="${signIn}"`
  )
  const description: unknown = rejection.body === "" ? undefined : JSON.parse(rejection.body).error_description
  return {
    ...rejection,
    status: 200,
    headers: { "cache-control": "no-store", "content-type": "application/json" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id,
      result: {
        // The revision 2026-07-28 introduced this member, and requires it.
        ...(protocolVersion !== undefined && protocolVersion >= "2026-07-28" ? { resultType: "complete" } : undefined),
        content: [{ type: "text", text: description ?? signIn }],
        isError: true,
        _meta: { "mcp/www_authenticate": [challenge] }
      }
    })
  }
}
