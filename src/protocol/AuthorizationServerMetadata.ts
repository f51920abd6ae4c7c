/**
 * Decodes authorization server metadata. RFC 8414 and OpenID Connect Discovery 1.0 share one type.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import { checkMembers, type Kind } from "./internal/members.ts"

/**
 * Describes the metadata of an authorization server.
 *
 * **Details**
 *
 * Only `issuer` is required. Which other members are needed depends on the use, and real providers leave out many of them.
 * Members that are not listed here are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuthorizationServerMetadata extends Known {
  readonly [member: string]: unknown
}

interface Known {
  readonly issuer: string
  readonly authorization_endpoint?: string
  readonly token_endpoint?: string
  readonly jwks_uri?: string
  readonly registration_endpoint?: string
  readonly device_authorization_endpoint?: string
  readonly introspection_endpoint?: string
  readonly revocation_endpoint?: string
  readonly userinfo_endpoint?: string
  readonly scopes_supported?: ReadonlyArray<string>
  readonly response_types_supported?: ReadonlyArray<string>
  readonly grant_types_supported?: ReadonlyArray<string>
  readonly token_endpoint_auth_methods_supported?: ReadonlyArray<string>
  readonly introspection_endpoint_auth_methods_supported?: ReadonlyArray<string>
  readonly code_challenge_methods_supported?: ReadonlyArray<string>
  readonly dpop_signing_alg_values_supported?: ReadonlyArray<string>
  readonly authorization_response_iss_parameter_supported?: boolean
  readonly client_id_metadata_document_supported?: boolean
}

const optional: Readonly<Record<Exclude<keyof Known, "issuer">, Kind>> = {
  authorization_endpoint: "a string",
  token_endpoint: "a string",
  jwks_uri: "a string",
  registration_endpoint: "a string",
  device_authorization_endpoint: "a string",
  introspection_endpoint: "a string",
  revocation_endpoint: "a string",
  userinfo_endpoint: "a string",
  scopes_supported: "a list of strings",
  response_types_supported: "a list of strings",
  grant_types_supported: "a list of strings",
  token_endpoint_auth_methods_supported: "a list of strings",
  introspection_endpoint_auth_methods_supported: "a list of strings",
  code_challenge_methods_supported: "a list of strings",
  dpop_signing_alg_values_supported: "a list of strings",
  authorization_response_iss_parameter_supported: "a boolean",
  client_id_metadata_document_supported: "a boolean"
}

/**
 * Checks a parsed JSON document. Fails with a sentence that names the invalid member.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (document: unknown): Result.Result<AuthorizationServerMetadata, string> =>
  checkMembers(document, { issuer: "a string" }, optional) as Result.Result<AuthorizationServerMetadata, string>
