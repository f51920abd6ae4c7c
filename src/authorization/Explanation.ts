/**
 * Explains rejections to the operator of the server. Clients never receive an explanation.
 *
 * @since 0.1.0
 */

/**
 * Compares a rejected request with the configuration, and advises the operator.
 *
 * **Details**
 *
 * It contains no token, no signature, no subject and no value of the claims that the author's decoder rejects. Values are
 * sanitized and cut (see `RemoteText`): each text after 256 characters, and each list after 10 entries. SECURITY.md lists every
 * value that can occur.
 *
 * @category models
 * @since 0.1.0
 */
export interface Explanation {
  /** Names the part of the configuration, the client or the network to check or to change. */
  readonly advice: string
  /** The part of the token or of the request that was checked, such as `aud`, `kid` or `Origin`. */
  readonly checked?: string | undefined
  readonly expected?: string | undefined
  /** The received value. Anyone can send it: the token may be invented. */
  readonly receivedUnverified?: string | undefined
}
