/**
 * The schemas of facts. The data files use only their types, which the compiler checks. Only tests decode with the schemas.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Strings = Schema.Array(Schema.String)

/** A year, a month or a day. */
export const PartialDate = Schema.String.check(Schema.isPattern(/^20\d\d(?:-[01]\d(?:-[0-3]\d)?)?$/))

/**
 * The record of an observed metadata document: which members the document had, without most of their values.
 *
 * If an optional field is missing in a complete record, the document lacked that member. A placeholder such as `{tenant}`
 * replaces the name of a tenant.
 */
export const ObservedDocument = Schema.Struct({
  kind: Schema.Literals(["oauth-authorization-server", "openid-configuration"]),
  url: Schema.String,
  /** How the member `issuer` relates to the URL of the document: it matches, it is a template, or it is another issuer. */
  issuer: Schema.Literals(["same", "template", "other"]),
  observed: PartialDate,
  source: Schema.String,
  /** `false` if only an excerpt was observed. A member that is missing in the record can then be in the document. */
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

export type ObservedDocument = typeof ObservedDocument.Type

/**
 * The source of a fact. The kinds, from the strongest to the weakest, are: a server that was run, an observed token,
 * documentation by the provider or by others, public code that integrates the provider, a metadata document, and no
 * confirmation.
 */
export const Evidence = Schema.Struct({
  kind: Schema.Literals(["run", "token", "documentation", "code", "document", "unconfirmed"]),
  source: Schema.String,
  /** The test file of this repository that runs the server. */
  test: Schema.optionalKey(Schema.String),
  /** When the token was issued. */
  issued: Schema.optionalKey(PartialDate),
  /** The name of the shape in `TokenShape` that has the claims of the observed token. */
  shape: Schema.optionalKey(Schema.String)
})

/** Whether a provider supports something. `Facts.Support` describes the values. */
export const Support = Schema.Literals(["yes", "setting", "guarded", "experimental", "no", "unknown"])

export type Support = typeof Support.Type

/** One provider. */
export const Fact = Schema.Struct({
  id: Schema.String.check(Schema.isPattern(/^[a-z0-9-]+$/)),
  name: Schema.String,
  /**
   * A service that you sign up for; a server or a library that you run yourself; or an MCP server that is its own authorization
   * server.
   */
  kind: Schema.Literals(["service", "server", "library", "mcp-server"]),
  /** The name of its profile in `Profiles`; `null` if it has none. */
  profile: Schema.NullOr(Schema.String),
  asOf: PartialDate,
  tokens: Schema.Struct({
    format: Schema.Literals(["jwt", "opaque", "both", "unknown"]),
    /** Which tokens have which format, or the form of opaque tokens. */
    note: Schema.String,
    /** The `typ` header; `null` if tokens have none, or if it is not known. */
    typ: Schema.NullOr(Schema.String),
    /** The observed or documented algorithms; empty if none is known. */
    algorithms: Strings,
    issuer: Schema.NullOr(Schema.String),
    audience: Schema.String,
    scopes: Schema.String,
    clientId: Schema.NullOr(Schema.String),
    /** The `sub` of a token that a client gets without a user; `null` if it is not known. */
    machineSubject: Schema.NullOr(Schema.String)
  }),
  /** Whether a token can have the resource of any MCP server as its audience. */
  resourceAudience: Schema.Literals(["yes", "no", "unknown"]),
  /** How to get a token with that audience, or what to do instead. */
  audienceSetup: Schema.String,
  resourceIndicators: Support,
  dynamicRegistration: Support,
  clientIdMetadataDocuments: Support,
  introspection: Support,
  /** How a server verifies tokens, if the metadata name neither keys nor an introspection endpoint. */
  lookUp: Schema.optionalKey(Schema.String),
  /** Why no official MCP client can sign in, although the metadata allow it. Missing if a client can, or if it is not known. */
  signInFault: Schema.optionalKey(Schema.String),
  evidence: Schema.Array(Evidence),
  quirks: Strings,
  documents: Schema.Array(ObservedDocument),
  /** The kinds of documents that the provider is known not to serve. */
  absent: Schema.optionalKey(Schema.Array(ObservedDocument.fields.kind))
})

export type Fact = typeof Fact.Type

/** Decodes facts from JSON. */
export const decode = Schema.decodeUnknownResult(Schema.Array(Fact))
