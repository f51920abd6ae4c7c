/**
 * What is known of a provider, as data with its date and its source: what the list of providers is made of.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Strings = Schema.Array(Schema.String)

/**
 * A year, a month or a day.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Moment = Schema.String.check(Schema.isPattern(/^20\d\d(?:-[01]\d(?:-[0-3]\d)?)?$/))

/**
 * A metadata document as somebody saw it: which members it had, not the document itself.
 *
 * **Details**
 *
 * A list that is absent was absent from the document. Names of tenants are replaced by `{…}`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Document = Schema.Struct({
  kind: Schema.Literals(["oauth-authorization-server", "openid-configuration"]),
  url: Schema.String,
  /** How `issuer` relates to the URL: the same server; a template; another name. */
  issuer: Schema.Literals(["same", "template", "other"]),
  observed: Moment,
  source: Schema.String,
  /** Whether all of it was seen: of an excerpt nothing can be said to be absent. */
  complete: Schema.Boolean,
  jwksUri: Schema.Boolean,
  registrationEndpoint: Schema.Boolean,
  introspectionEndpoint: Schema.Boolean,
  offlineAccess: Schema.Boolean,
  codeChallengeMethods: Schema.optionalKey(Strings),
  tokenEndpointAuthMethods: Schema.optionalKey(Strings),
  clientIdMetadataDocuments: Schema.optionalKey(Schema.Boolean),
  issParameter: Schema.optionalKey(Schema.Boolean),
  dpopAlgorithms: Schema.optionalKey(Strings)
})

/**
 * @category models
 * @since 0.1.0
 */
export type Document = typeof Document.Type

/**
 * Where a fact comes from, the strongest first: a server that was run, a token that was seen, the provider's or others'
 * documentation, public code that integrates it, a metadata document, or nothing of these.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Evidence = Schema.Struct({
  kind: Schema.Literals(["run", "token", "documentation", "code", "document", "unconfirmed"]),
  source: Schema.String
})

/**
 * @category schemas
 * @since 0.1.0
 */
export const Answer = Schema.Literals(["yes", "setting", "guarded", "experimental", "no", "unknown"])

/**
 * Whether a provider has something: `"setting"`, once it is switched on; `"guarded"`, for those with a credential or a
 * prior registration.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer = typeof Answer.Type

/**
 * One provider.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Fact = Schema.Struct({
  id: Schema.String.check(Schema.isPattern(/^[a-z0-9-]+$/)),
  name: Schema.String,
  /** A service; a server, or a library, that one runs oneself; or an MCP server that is its own authorization server. */
  kind: Schema.Literals(["service", "server", "library", "mcp-server"]),
  /** The name of its profile in `Profiles`; `null` where there is none. */
  profile: Schema.NullOr(Schema.String),
  asOf: Moment,
  tokens: Schema.Struct({
    format: Schema.Literals(["jwt", "opaque", "both", "unknown"]),
    /** When which of both, or how opaque tokens look. */
    note: Schema.String,
    /** The `typ` header; `null` where there is none, or none is known. */
    typ: Schema.NullOr(Schema.String),
    /** Those that were seen or are documented; empty where none is known. */
    algorithms: Strings,
    issuer: Schema.NullOr(Schema.String),
    audience: Schema.String,
    scopes: Schema.String,
    clientId: Schema.NullOr(Schema.String),
    /** What `sub` is of a token without a person behind it; `null` where that is not known. */
    subjectOfPrograms: Schema.NullOr(Schema.String)
  }),
  /** How a token comes to be for the resource of an MCP server. */
  audienceHow: Schema.String,
  resourceIndicators: Answer,
  dynamicRegistration: Answer,
  clientIdMetadataDocuments: Answer,
  introspection: Answer,
  evidence: Schema.Array(Evidence),
  quirks: Strings,
  documents: Schema.Array(Document),
  /** Kinds of documents of which it is known that there is none. */
  absent: Schema.optionalKey(Schema.Array(Document.fields.kind))
})

/**
 * @category models
 * @since 0.1.0
 */
export type Fact = typeof Fact.Type

/**
 * Reads facts that come as JSON.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = Schema.decodeUnknownResult(Schema.Array(Fact))
