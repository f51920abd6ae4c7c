import type * as Effect from "effect/Effect"
import type { Caller } from "../../authorization/Caller.ts"
import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import type { AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type * as Operation from "../../protocol/Operation.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { AuthInfo } from "./AuthInfo.ts"
import type { Message } from "./Body.ts"

/* The input and the result of the decision about one request, for every server adapter outside Effect. */

/**
 * The data about an admitted request that a handler of the author of the server receives.
 *
 * @category models
 * @since 0.1.0
 */
export interface Admission<A = unknown> {
  /** The verified identity of the caller. `undefined` for an anonymous caller, if anonymous callers are allowed. */
  readonly principal: Principal | undefined
  /** The same identity in the form that the official SDKs use. */
  readonly authInfo: AuthInfo | undefined
  /** The custom claims of the caller, as the option `claims` decodes them. `undefined` if that option is not set. */
  readonly claims: A | undefined
  /** The operations of the request. */
  readonly operations: ReadonlyArray<Operation.Operation>
  /** The parsed body that was checked. A handler must use this value, because a second parse can have another result. */
  readonly body: unknown
}

/** An admission, with the values that the adapter needs later. */
export interface Admitted<A = unknown> extends Admission<A> {
  readonly caller: Caller
  /** The `Mcp-Session-Id` of the request. */
  readonly session: string | undefined
}

/** Returns the members of an admission that a handler receives. */
export const forHandler = <A>({ authInfo, body, claims, operations, principal }: Admitted<A>): Admission<A> => ({
  principal,
  authInfo,
  claims,
  operations,
  body
})

/** A body that was parsed and checked, or the reason for its rejection. */
export type Body = Effect.Effect<Message, MalformedRequest | AuthConfigError>

/** Reads and parses a body. The gate calls it once, after it has checked the token and the session. */
export type Read = () => Body

/** A request whose token, session and body were checked. The policies of its operations may depend on the members. */
export interface McpRequest extends Pick<Admission, "principal" | "authInfo" | "operations" | "body"> {
  /** The `Mcp-Session-Id` of the request, or else the session that its query names. */
  readonly session: string | undefined
}

/**
 * Returns the policy of an operation. `"unknown"`: the server has no tool, prompt or resource that this operation could run.
 * `undefined`: the adapter has no policy for the operation.
 */
export type PolicyFor = (operation: Operation.Operation) => OperationPolicy | "unknown" | undefined

/** Finds the policies of a request. The gate calls it once, and only if the request has operations. */
export type Policies = (request: McpRequest) => Effect.Effect<PolicyFor, AuthConfigError>

/** Returns whether a value has headers. Code without type checking can pass any value. */
export const hasHeaders = (request: { readonly headers: object }): boolean => {
  const headers: unknown = (request as { readonly headers?: unknown } | null | undefined)?.headers
  return typeof headers === "object" && headers !== null
}

/** The error for a value that is not the request of the platform. */
export const otherRequest = ConfigOption.error(
  "protect",
  "the value is not the request that the server received. Pass req of node:http to middleware for Node (request.raw of Fastify, ctx.req " +
    "of Koa), and a Request, or the context of Hono, to other functions"
)
