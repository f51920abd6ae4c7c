/**
 * Defines why a sign-in at the upstream of the OAuth proxy fails.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

const messages = {
  "denied": "The person, or the upstream, denied the sign-in",
  "malformed": "The callback of the upstream is malformed, or one of its parameters is repeated",
  "state": "The callback of the upstream belongs to another sign-in",
  "issuer": "The callback of the upstream names another issuer, or lacks the issuer",
  "code": "The upstream rejected the authorization code",
  "token": "The token response of the upstream cannot be used",
  "id-token": "The ID token of the upstream is not valid",
  "identity": "The upstream does not identify the person",
  "ended": "The upstream no longer accepts the token of the person",
  "unavailable": "The upstream is unavailable"
}

/**
 * Reports that a sign-in at the upstream, or a request for its token, failed.
 *
 * **Details**
 *
 * - `denied`: the upstream redirected with an error. `code` is the error.
 * - `malformed`, `state`, `issuer`: the callback is not the answer to this sign-in (RFC 6749 §4.1.2, RFC 9207).
 * - `code`: the upstream rejected the authorization code.
 * - `token`, `id-token`, `identity`: a response of the upstream breaks its rules. `detail` names the rule.
 * - `ended`: the upstream rejected the stored token of the person.
 * - `unavailable`: the upstream has an outage, rejects the credentials of the proxy, or too many requests are in flight. `retryAfter`
 *   is in seconds.
 *
 * No member contains a token, a code or a secret.
 *
 * @category errors
 * @since 0.1.0
 */
export class UpstreamFailure extends Data.TaggedError("UpstreamFailure")<{
  readonly reason: keyof typeof messages
  /** The error code of the upstream, in lower case. */
  readonly code?: string | undefined
  readonly detail?: string | undefined
  readonly retryAfter?: number | undefined
}> {
  override get message(): string {
    const more = this.detail ?? this.code
    return more === undefined ? messages[this.reason] : `${messages[this.reason]}: ${more}`
  }
}

/**
 * Reports that the rule of admission rejects a person who signed in at the upstream.
 *
 * @category errors
 * @since 0.1.0
 */
export class AdmissionRejected extends Data.TaggedError("AdmissionRejected")<{
  /** The name of the person for a page. */
  readonly display: string | undefined
}> {
  override get message(): string {
    return "The rule of admission rejects the person"
  }
}
