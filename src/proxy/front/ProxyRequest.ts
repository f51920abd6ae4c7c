/* Requests and responses of the OAuth proxy, in a form that does not depend on the platform. */

/** A request, as a host reads it. Nothing in it is decoded. */
export interface ProxyRequest {
  readonly method: string
  /** The path without the query, as received. */
  readonly path: string
  /** The query without `?`, as received, or `""`. */
  readonly query: string
  /**
   * Returns the lines of a header, in the order of the request. `name` is in lower case. A platform that joins lines returns one
   * line, so a reader of a header must also reject the joined form of two lines.
   */
  readonly header: (name: string) => ReadonlyArray<string>
  /**
   * Reads the body as UTF-8 text. Returns `undefined` if it is longer than `maximumBytes` or not UTF-8. After `signal` has aborted, the
   * result is not used, and the platform stops reading.
   */
  readonly body: (maximumBytes: number, signal: AbortSignal) => Promise<string | undefined>
}

/** A response. Names of headers are in lower case. */
export interface ProxyResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The values of `Set-Cookie`, each of which is a separate line. */
  readonly cookies: ReadonlyArray<string>
  readonly body: string
}
