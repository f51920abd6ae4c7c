/**
 * The error of a handler that its own check of scopes rejected. By then the response may have started, so the error contains
 * the challenge that the gate would have sent.
 */
import type { Rejection } from "../../authorization/Rejection.ts"

/** The challenge of a rejected call, in `error.data` of the JSON-RPC response. */
export interface ChallengeData {
  /** The status that the gate would have sent: 401 or 403. */
  readonly status: number
  /** The value of the `WWW-Authenticate` header that the gate would have sent. */
  readonly wwwAuthenticate: string
}

/** The error that the SDKs turn into the JSON-RPC error of a call. For the caller of `local`, a tool answers with an error result. */
export class HandlerRejected extends Error {
  override readonly name = "Rejected"
  readonly code = -32001
  readonly data: ChallengeData | undefined
  readonly rejection: Rejection | undefined

  constructor(message: string, rejection?: Rejection) {
    super(message)
    this.rejection = rejection
    const challenge = rejection?.headers["www-authenticate"]
    this.data = rejection === undefined || challenge === undefined
      ? undefined
      : { status: rejection.status, wwwAuthenticate: challenge }
  }
}

// The key of a property of the context that the SDK passes to the handlers of one call, and of the `AuthInfo` of a request.
const key = Symbol("effect-mcp-auth/HandlerRejected")

type Owner = { [key]?: HandlerRejected }

/**
 * Stores the error of a call in an object that belongs to the call or to its request. Code of the author of the server can pass
 * any value in the place of `AuthInfo`, such as a text or a frozen object, which stores nothing.
 */
export const store = (owner: unknown, error: HandlerRejected): void => {
  if (Object.isExtensible(owner)) (owner as Owner)[key] = error
}

/** Returns the stored error. */
export const find = (owner: unknown): HandlerRejected | undefined => (owner as Owner | undefined)?.[key]

/**
 * Makes the result of a handler of the SDK fail with the stored error. The SDKs turn every error of a tool into an error result,
 * which cannot contain a challenge. If the call creates a task, SDK v1
 * also rejects the error result, because a task was expected.
 */
export const rethrow = (result: unknown, context: unknown): unknown =>
  result instanceof Promise
    ? result.then((value: unknown) => {
      const error = find(context)
      if (error !== undefined) throw error
      return value
    }, (cause: unknown) => {
      throw find(context) ?? cause
    })
    : result
