/**
 * Decodes protected resource metadata, which an MCP server publishes about itself (RFC 9728 §2).
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import { checkMembers, type Kind } from "./internal/members.ts"

/**
 * Describes the metadata of a protected resource. MCP requires at least one authorization server; RFC 9728 does not. Members
 * that are not listed here are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectedResourceMetadata extends Known {
  readonly [member: string]: unknown
}

interface Known {
  readonly resource: string
  readonly authorization_servers: readonly [string, ...ReadonlyArray<string>]
  readonly scopes_supported?: ReadonlyArray<string>
  readonly bearer_methods_supported?: ReadonlyArray<string>
  readonly resource_name?: string
  readonly resource_documentation?: string
  readonly resource_policy_uri?: string
  readonly resource_tos_uri?: string
  readonly dpop_signing_alg_values_supported?: ReadonlyArray<string>
  readonly dpop_bound_access_tokens_required?: boolean
}

const required = { resource: "a string", authorization_servers: "a list of at least one string" } as const

const optional: Readonly<Record<Exclude<keyof Known, keyof typeof required>, Kind>> = {
  scopes_supported: "a list of strings",
  bearer_methods_supported: "a list of strings",
  resource_name: "a string",
  resource_documentation: "a string",
  resource_policy_uri: "a string",
  resource_tos_uri: "a string",
  dpop_signing_alg_values_supported: "a list of strings",
  dpop_bound_access_tokens_required: "a boolean"
}

/**
 * Checks a parsed JSON document. Fails with a sentence that names the invalid member.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (document: unknown): Result.Result<ProtectedResourceMetadata, string> =>
  checkMembers(document, required, optional) as Result.Result<ProtectedResourceMetadata, string>
