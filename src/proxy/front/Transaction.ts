import * as Effect from "effect/Effect"
import { sha256 } from "../../crypto/Sha256.ts"
import { isRecord } from "../../protocol/Json.ts"
import type { ProxyKeys } from "../keys/ProxyKeys.ts"
import type { SealableFlow } from "../upstream/UpstreamLeg.ts"

/*
 * Carries a sign-in through the browser, sealed, because the proxy stores nothing before the upstream has signed a person in. A
 * request becomes part of the consent page; an approved request becomes a cookie.
 */

/** An authorization request whose parameters are checked. */
export interface Requested {
  /** The SHA-256 of the client id in base64url. The form of the page contains the id itself. */
  readonly client: string
  readonly redirectUri: string
  readonly challenge: string
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  readonly state: string | undefined
}

/** A request on a consent page. */
export interface Pending extends Requested {
  /** The time at which the page was created, in milliseconds since 1970. */
  readonly at: number
  /** The SHA-256 of the browser's id. */
  readonly browser: string
}

/** A request that a person approved, with what the upstream leg needs at the callback. */
export interface ApprovedRequest extends Omit<Requested, "client"> {
  /** The exact client id. */
  readonly clientId: string
  /** The time of the approval, in milliseconds since 1970. */
  readonly at: number
  /** The name of the upstream. */
  readonly upstream: string
  readonly flow: Omit<SealableFlow, "scopes">
}

/**
 * The largest size of a request with its client id, in bytes. Sealed and with what the upstream leg adds, the cookie then stays within
 * the 4,096 bytes that browsers keep.
 */
export const maximumSize = 2_650

export interface Transactions {
  readonly sealPending: (pending: Pending) => Effect.Effect<string>
  readonly openPending: (sealed: string) => Effect.Effect<Pending | undefined>
  readonly sealApproved: (approved: ApprovedRequest, key: string) => Effect.Effect<string>
  readonly openApproved: (sealed: string, key: string) => Effect.Effect<ApprovedRequest | undefined>
}

/** The time by which the clocks of two instances may differ, in milliseconds. */
const clockTolerance = 60_000

/** Tells whether a time is at most `lifetime` milliseconds ago. A later one, from a clock that was ahead, does not live for longer. */
export const isCurrent = (at: number, lifetime: number, now: number): boolean =>
  now - at <= lifetime && at - now <= clockTolerance

/** Returns the key of the transaction of an upstream `state`: part of the name of its cookie, and of the record that spends it. */
export const keyFor = (state: string): Effect.Effect<string> => Effect.map(sha256(state), (hash) => hash.slice(0, 22))

/** Creates the sealing of transactions. A text that another issuer sealed cannot be opened. */
export const make = (keys: Pick<ProxyKeys, "seal">, issuer: string): Transactions => {
  const pending = keys.seal("browser", "pending")
  const approved = keys.seal("browser", "approved")
  const read = <A>(text: string | undefined): A | undefined => {
    const value: unknown = text === undefined ? undefined : JSON.parse(text)
    return isRecord(value) ? value as A : undefined
  }
  return {
    sealPending: (content) => pending.seal(JSON.stringify(content), issuer),
    openPending: (sealed) => Effect.map(pending.open(sealed, issuer), (text) => read<Pending>(text)),
    sealApproved: (content, key) => approved.seal(JSON.stringify(content), `${issuer} ${key}`),
    openApproved: (sealed, key) =>
      Effect.map(approved.open(sealed, `${issuer} ${key}`), (text) => read<ApprovedRequest>(text))
  }
}
