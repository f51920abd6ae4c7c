/**
 * Protected resource metadata: what an MCP server says about itself (RFC 9728 §2).
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Strings = Schema.optionalKey(Schema.Array(Schema.String))
const Text = Schema.optionalKey(Schema.String)

/**
 * The document of a protected resource. MCP demands at least one authorization server, where RFC 9728 leaves it open.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ProtectedResourceMetadata = Schema.StructWithRest(
  Schema.Struct({
    resource: Schema.String,
    authorization_servers: Schema.NonEmptyArray(Schema.String),
    scopes_supported: Strings,
    bearer_methods_supported: Strings,
    resource_name: Text,
    resource_documentation: Text,
    resource_policy_uri: Text,
    resource_tos_uri: Text,
    dpop_signing_alg_values_supported: Strings,
    dpop_bound_access_tokens_required: Schema.optionalKey(Schema.Boolean)
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

/**
 * @category models
 * @since 0.1.0
 */
export type ProtectedResourceMetadata = typeof ProtectedResourceMetadata.Type

/**
 * Reads a parsed JSON document.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = Schema.decodeUnknownResult(ProtectedResourceMetadata)
