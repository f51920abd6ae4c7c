/**
 * Describes an upstream of the OAuth proxy as data: where it signs people in, and how it differs from the standards.
 *
 * @since 0.1.0
 */
import type * as Config from "effect/Config"
import type * as Redacted from "effect/Redacted"
import type * as Types from "effect/Types"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { JsonObject } from "../../protocol/Json.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import * as UrlOption from "../../protocol/UrlOption.ts"

/**
 * Identifies upstreams.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/proxy/Upstream"

/**
 * Names the family of an upstream. Some rules of admission work with one family only.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "github" | "google" | "entra" | "oidc" | "oauth2"

/**
 * Maps each MCP scope of the server to the upstream scopes that its tools need. A scope with an empty list needs none.
 *
 * @category models
 * @since 0.1.0
 */
export type ScopeMap = Readonly<Record<string, ReadonlyArray<string>>>

/**
 * The options that all upstreams have.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonOptions<Map extends ScopeMap> {
  /** The client id of the proxy at the upstream. */
  readonly clientId: string
  /** The secret of this client. A `Config` is read when the proxy starts. */
  readonly clientSecret: Redacted.Redacted | Config.Config<Redacted.Redacted>
  /**
   * The upstream scopes of each MCP scope. The keys are exactly the scopes of the proxy: a missing or unknown one does not compile.
   */
  readonly scopes: Map
  /**
   * The name of the upstream, in the path of its callback and at the start of each subject. Do not change it: grants and data belong
   * to subjects. It consists of lower-case letters, digits and `-`. Default: the name of the preset.
   */
  readonly name?: string | undefined
}

/**
 * The identity in a response of the upstream.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpstreamIdentity {
  /** An id that never changes and is never given to another person. Not an e-mail address and not a login name. */
  readonly id: string
  /** A name for pages. It never decides anything. */
  readonly display?: string | undefined
}

/** Where the upstream serves its endpoints. */
export type Server =
  | {
    /** An OpenID provider, whose metadata name its endpoints. */
    readonly type: "openid"
    readonly issuer: string
  }
  | {
    readonly type: "oauth2"
    /** `iss` of callbacks (RFC 9207), if it is known. */
    readonly issuer: string | undefined
    /** Whether a callback without `iss` is rejected. */
    readonly sendsIssuer: boolean
    readonly authorizationEndpoint: string
    readonly tokenEndpoint: string
    readonly userEndpoint: string
    /** The endpoint that lists the verified e-mail addresses, in GitHub's form. */
    readonly emailsEndpoint: string | undefined
  }

/** How an upstream differs from the standards. */
export interface Quirks {
  /** The upstream scopes of every sign-in. */
  readonly baseScopes: ReadonlyArray<string>
  /** The name of the parameter with the scopes. */
  readonly scopeParameter: string
  readonly scopeSeparator: " " | ","
  /** Tells whether the granted scopes contain a scope, also under another name or as a part of a wider scope. */
  readonly isGranted: (scope: string, granted: ReadonlySet<string>) => boolean
  /** Whether the upstream has no scopes, so that its responses list none. */
  readonly hasNoScopes: boolean
  /** Whether requests use PKCE with S256. Providers such as Entra ID support it without advertising it. */
  readonly pkce: boolean
  /** Further parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>
  /** The member of the token response that contains the token, if it is not the response itself. */
  readonly tokenMember: string | undefined
  /** The accepted values of `token_type`, in lower case. */
  readonly tokenTypes: ReadonlyArray<string>
  /** Further error codes that reject a code or a refresh token, as `invalid_grant` does. */
  readonly rejections: ReadonlyArray<string>
  /** How a grant is checked: by a refresh, or by a request for the user as long as the access token is valid. */
  readonly check: "refresh" | "user"
  /** Whether the userinfo endpoint of an OpenID provider is not used. */
  readonly hasNoUserinfo: boolean
  /** Reads the identity from the claims of the ID token or from the response of the user endpoint. */
  readonly identify: (claims: JsonObject) => UpstreamIdentity | undefined
}

/**
 * An upstream of the OAuth proxy. `Scopes` are the MCP scopes that it maps.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upstream<in out Scopes extends string> {
  readonly [TypeId]: { readonly _Scopes: Types.Invariant<Scopes> }
  readonly kind: Kind
  readonly name: string
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted | Config.Config<Redacted.Redacted>
  readonly method: "client_secret_basic" | "client_secret_post"
  readonly server: Server
  readonly scopes: ReadonlyMap<string, ReadonlyArray<string>>
  /** The tenant of Entra ID whose members `Admit.tenantMembers` admits. */
  readonly tenant: string | undefined
  readonly quirks: Quirks
}

/** The values with which most upstreams follow the standards. */
export const standard: Quirks = {
  baseScopes: [],
  scopeParameter: "scope",
  scopeSeparator: " ",
  isGranted: (scope, granted) => granted.has(scope),
  hasNoScopes: false,
  pkce: true,
  parameters: {},
  tokenMember: undefined,
  tokenTypes: ["bearer"],
  rejections: [],
  check: "refresh",
  hasNoUserinfo: false,
  identify: () => undefined
}

/** The members of an upstream that its preset decides. */
export interface Definition {
  readonly kind: Kind
  readonly name: string
  readonly method: "client_secret_basic" | "client_secret_post"
  readonly server: Server
  readonly tenant?: string | undefined
  readonly quirks: Quirks
}

/** Creates an upstream from options that were checked with `commonTable`. */
export const make = <Map extends ScopeMap>(
  options: CommonOptions<Map>,
  definition: Definition
): Upstream<keyof Map & string> => ({
  [TypeId]: { _Scopes: (_) => _ },
  kind: definition.kind,
  name: options.name ?? definition.name,
  clientId: options.clientId,
  clientSecret: options.clientSecret,
  method: definition.method,
  server: definition.server,
  tenant: definition.tenant,
  scopes: new Map(Object.entries(options.scopes)),
  quirks: definition.quirks
})

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

/** A name has no character of a path, of a record key or of the separator of subjects. */
const names = /^[a-z][a-z0-9-]{0,31}$/

/** The rules of the options that all upstreams have. */
export const commonTable: ConfigOption.Table<keyof CommonOptions<ScopeMap>> = {
  clientId: ConfigOption.rule(isText, "text", "Write the client id that the upstream gave to the proxy"),
  clientSecret: (value, option) => {
    if (typeof value === "string") {
      throw ConfigOption.error(option, "the value is a text. Write Redacted.make(secret) or Config.Redacted(name)")
    }
  },
  name: ConfigOption.rule(
    (value) => typeof value === "string" && names.test(value),
    "a name of at most 32 lower-case letters, digits and hyphens that begins with a letter",
    "Write one such as \"github\""
  ),
  scopes: (value, option) => {
    if (!OptionValue.isObject(value)) {
      throw ConfigOption.invalid(
        option,
        value,
        "an object from MCP scopes to lists of upstream scopes",
        "Write one such as { \"todos:read\": [] }"
      )
    }
    for (const [scope, upstreamScopes] of Object.entries(value)) {
      if (!ScopeToken.isScopeToken(scope)) {
        throw ConfigOption.error(
          option,
          `${OptionValue.describe(scope)} is not a scope. Write a text without spaces, quotes and backslashes`
        )
      }
      checkScopes(upstreamScopes, `${option}[${JSON.stringify(scope)}]`)
    }
  }
}

const checkScopes = ConfigOption.listOf(ScopeToken.isScopeToken, {
  entry: "a scope",
  entries: "upstream scopes",
  advice: "Write the name of a scope of the upstream, without spaces",
  example: "repo"
})

/** Checks the options that must be present. Throws `AuthConfigError`. */
export const checkRequired = <Name extends string>(
  options: Readonly<Partial<Record<Name, unknown>>>,
  path: string,
  names: ReadonlyArray<Name>
): void => {
  for (const name of names) {
    if (options[name] === undefined) {
      throw ConfigOption.error(`${path}.${name}`, "the option is missing. Set it", "missing")
    }
  }
}

/** The options without which no upstream works. */
export const required = ["clientId", "clientSecret", "scopes"] as const

/** Accepts a URL of the upstream: https, or http on loopback. */
export const url = (example: string, allowsQuery = false): ConfigOption.Rule => (value, option) => {
  UrlOption.check(value, option, {
    allowsHttp: false,
    allowsQuery,
    advice: `Write one such as ${example}`,
    adviceOnHttp: "Use https",
    adviceOnParts: "Write it without user, query and fragment"
  })
}
