/**
 * Authorization server metadata: RFC 8414 and OpenID Connect Discovery 1.0 read as one shape.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Strings = Schema.optionalKey(Schema.Array(Schema.String))
const Text = Schema.optionalKey(Schema.String)

/**
 * The document of an authorization server.
 *
 * **Details**
 *
 * Only `issuer` is demanded: what else is needed depends on the use, and real documents leave out nearly everything at
 * one provider or another. Members that are not named here are kept as they are.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AuthorizationServerMetadata = Schema.StructWithRest(
  Schema.Struct({
    issuer: Schema.String,
    authorization_endpoint: Text,
    token_endpoint: Text,
    jwks_uri: Text,
    registration_endpoint: Text,
    introspection_endpoint: Text,
    revocation_endpoint: Text,
    userinfo_endpoint: Text,
    scopes_supported: Strings,
    response_types_supported: Strings,
    grant_types_supported: Strings,
    token_endpoint_auth_methods_supported: Strings,
    introspection_endpoint_auth_methods_supported: Strings,
    code_challenge_methods_supported: Strings,
    dpop_signing_alg_values_supported: Strings,
    authorization_response_iss_parameter_supported: Schema.optionalKey(Schema.Boolean),
    client_id_metadata_document_supported: Schema.optionalKey(Schema.Boolean)
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

/**
 * @category models
 * @since 0.1.0
 */
export type AuthorizationServerMetadata = typeof AuthorizationServerMetadata.Type

/**
 * Reads a parsed JSON document.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = Schema.decodeUnknownResult(AuthorizationServerMetadata)
