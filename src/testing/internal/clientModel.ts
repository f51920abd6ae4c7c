import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { Decision } from "../../authorization/Decision.ts"
import type * as Challenge from "../../protocol/Challenge.ts"
import type { DpopClient } from "../DpopClient.ts"
import type { TokenOptions } from "./mint.ts"
import type { Promised } from "./promises.ts"

/**
 * The revision of MCP that a client uses. `2026-07-28` has no sessions; the earlier revisions have sessions.
 *
 * @category models
 * @since 0.1.0
 */
export type ProtocolVersion = "2026-07-28" | "2025-11-25" | "2025-06-18" | "2025-03-26"

/**
 * A user with an account at the issuer. Each request gets a new token.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestUser extends Omit<TokenOptions, "boundTo"> {
  /** Binds the token to this key, and sends a proof with each request (RFC 9449). Default: a bearer token. */
  readonly dpop?: DpopClient | Promised<DpopClient> | undefined
  /** The nonce of the proofs. Default: no nonce. */
  readonly dpopNonce?: string | undefined
}

/**
 * A caller with other credentials than an access token, such as an API key.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestCredentials {
  /** The headers that contain the credentials, such as `{ "x-api-key": key }`. */
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The caller of requests: a user, a token, other credentials, or `undefined` for an anonymous caller.
 *
 * @category models
 * @since 0.1.0
 */
export type TestCaller = TestUser | TestCredentials | string | Redacted.Redacted | undefined

/**
 * The response to a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The Bearer challenge, or else the first one; `undefined` if the header is absent or malformed. */
  readonly challenge: Challenge.Challenge | undefined
  /** Every challenge, in the order of the header. */
  readonly challenges: ReadonlyArray<Challenge.Challenge>
  /** The JSON-RPC result, if the response has one. */
  readonly result: {
    readonly isError?: boolean
    readonly content?: unknown
    readonly structuredContent?: unknown
    readonly [member: string]: unknown
  } | undefined
  /** The JSON-RPC error, if the response has one. */
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined
  /** The value that a tool returned: its structured content, or its text. */
  readonly value: unknown
  /**
   * The decisions of the gate, if the server runs in the test or the option `decisions` is set. Only a decision contains the
   * reason of a rejection; the HTTP response does not.
   */
  readonly decisions: ReadonlyArray<Decision>
}

/**
 * The service of a client. Each request has the credentials of the caller that `TestClient.as` sets, or none.
 *
 * @category services
 * @since 0.1.0
 */
export class TestClient extends Context.Service<TestClient, {
  readonly url: string
  readonly callTool: (name: string, args?: Readonly<Record<string, unknown>>) => Effect.Effect<TestResponse>
  readonly listTools: Effect.Effect<TestResponse>
  readonly readResource: (uri: string) => Effect.Effect<TestResponse>
  readonly listResources: Effect.Effect<TestResponse>
  readonly getPrompt: (name: string, args?: Readonly<Record<string, string>>) => Effect.Effect<TestResponse>
  readonly listPrompts: Effect.Effect<TestResponse>
  /** Calls any other method. */
  readonly request: (method: string, params?: Readonly<Record<string, unknown>>) => Effect.Effect<TestResponse>
  /** Sends any request. If the request has no `Authorization` header, the client adds the credentials of the caller. */
  readonly send: (request: Request) => Effect.Effect<TestResponse>
  /**
   * Opens a session, in revisions before 2026-07-28. The response has the id of the session in the header `mcp-session-id`. The
   * other methods, except `send`, open a session for each caller when they need one.
   */
  readonly openSession: Effect.Effect<TestResponse>
}>()("effect-mcp-auth/testing/TestClient") {}

/**
 * The caller of requests. Default: anonymous.
 *
 * @category references
 * @since 0.1.0
 */
export const CurrentCaller: Context.Reference<TestCaller> = Context.Reference<TestCaller>(
  "effect-mcp-auth/testing/TestClient/CurrentCaller",
  { defaultValue: () => undefined }
)

/** The session of requests. Default: the session that the client has opened for the caller. */
export const CurrentSession = Context.Reference<string | undefined>(
  "effect-mcp-auth/testing/TestClient/CurrentSession",
  {
    defaultValue: () => undefined
  }
)

/**
 * Mints the tokens of users. Both the service `TestIssuer` and the result of `TestIssuer.start` have this interface.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mint {
  readonly resource: string
  readonly mint: (options?: TokenOptions) => Effect.Effect<string> | Promise<string>
}

/**
 * The options of a client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The revision of MCP. Default: `2026-07-28`. */
  readonly protocol?: ProtocolVersion | undefined
  /** The URL of the MCP endpoint. Default: the resource of the issuer. */
  readonly url?: string | undefined
}

/**
 * Records the decisions of a gate, for servers that the test does not build with `TestClient.layer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decisions {
  /** The layer for the option `layer` of the SDK adapters. */
  readonly layer: Layer.Layer<never>
  /** Returns the decisions since the last call. */
  readonly take: () => ReadonlyArray<Decision>
}

/**
 * The options of a client for a handler.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerOptions extends Options {
  /** Responds to requests. Pass `fetch` if the server listens on a port. */
  readonly handler: (request: Request) => Promise<Response> | Response
  /** Mints the tokens of users. Without it, callers must be tokens or anonymous, and `url` is required. */
  readonly issuer?: Mint | undefined
  /** Records the decisions of the server's gate. Without it, responses contain no decisions. */
  readonly decisions?: Decisions | undefined
}
