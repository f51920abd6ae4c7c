/**
 * Describes what the OAuth proxy does at its upstream: it signs people in, and checks and refreshes their tokens.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { RecordStoreUnavailable } from "../../store/records/RecordStore.ts"
import type { Person, Release, UpstreamVerdict } from "../grants/Grants.ts"
import type { AdmissionRejected, UpstreamFailure } from "./UpstreamFailure.ts"

/**
 * An access token of the upstream. The brand distinguishes it from the access token of the MCP client, which the upstream must never
 * receive.
 *
 * @category models
 * @since 0.1.0
 */
export type UpstreamToken = Redacted.Redacted & Brand.Brand<"UpstreamToken">

/**
 * Contains the values of a sign-in that the proxy needs again at the callback. It is plain JSON and contains the PKCE verifier, so
 * seal it and bind it to the browser.
 *
 * @category models
 * @since 0.1.0
 */
export interface SealableFlow {
  readonly state: string
  /** The PKCE verifier. Absent if the upstream does not support PKCE. */
  readonly verifier?: string | undefined
  /** The nonce of the ID token. Absent if the upstream is not an OpenID provider. */
  readonly nonce?: string | undefined
  /** The requested MCP scopes. */
  readonly scopes: ReadonlyArray<string>
}

/**
 * The start of a sign-in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Begun {
  /** The URL of the upstream, which the browser opens. */
  readonly url: string
  /** 32 random bytes in base64url: 43 characters. */
  readonly state: string
  readonly flow: SealableFlow
}

/**
 * The parameters of a completed sign-in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Callback<out E = never> {
  /** The parameters of the callback. */
  readonly parameters: URLSearchParams
  readonly flow: SealableFlow
  readonly redirectUri: string
  /**
   * Runs after the upstream identified the person, and before anything is stored. It spends the transaction and the state, so that
   * no request without a sign-in writes to the store.
   */
  readonly spend: Effect.Effect<void, E>
}

/**
 * A person who signed in and is admitted.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignedIn {
  readonly person: Person
  /** Those of the requested MCP scopes whose upstream scopes the upstream granted. Can be empty. */
  readonly scopes: ReadonlyArray<string>
  /** The key of the record with the upstream tokens. */
  readonly upstreamKey: string
}

/**
 * The operations of the proxy at its upstream.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpstreamLeg {
  /** The name of the upstream. The path of its callback ends with it. */
  readonly name: string
  /** Returns the upstream scopes that a sign-in for these MCP scopes requests, for the consent page. */
  readonly upstreamScopes: (scopes: ReadonlyArray<string>) => ReadonlyArray<string>
  /** The URL below which tools find the API of the upstream, without a final slash. */
  readonly apiUrl: string
  /** Returns the subject of the person with an id at the upstream. */
  readonly subjectOf: (id: string) => string
  /** Creates the URL of a sign-in. Stores nothing. */
  readonly begin: (options: {
    readonly redirectUri: string
    readonly scopes: ReadonlyArray<string>
  }) => Effect.Effect<Begun, UpstreamFailure>
  /** Verifies the callback, redeems its code, identifies and admits the person, and stores the tokens. */
  readonly complete: <E = never>(
    callback: Callback<E>
  ) => Effect.Effect<SignedIn, UpstreamFailure | AdmissionRejected | RecordStoreUnavailable | E>
  /**
   * Checks at a refresh whether the upstream and the rule of admission still accept the person. An interruption of the caller does
   * not interrupt the check, because the answer of the upstream can contain the only valid refresh token.
   */
  readonly check: (upstreamKey: string) => Effect.Effect<UpstreamVerdict, RecordStoreUnavailable>
  /** Returns the access token of the upstream. Refreshes it first if it expires within a minute. */
  readonly token: (upstreamKey: string) => Effect.Effect<UpstreamToken, UpstreamFailure | RecordStoreUnavailable>
  readonly release: Release
}
