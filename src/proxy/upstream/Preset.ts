/**
 * Describes an upstream of the OAuth proxy as data: where it signs people in, and how it differs from the standards.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Types from "effect/Types"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
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
  /** The client id of the proxy at the upstream. A `Config` is read when the proxy starts. */
  readonly clientId: string | Config.Config<string>
  /** The secret of this client. A `Config` is read when the proxy starts. */
  readonly clientSecret: Redacted.Redacted | Config.Config<Redacted.Redacted>
  /**
   * The upstream scopes of each MCP scope. The keys are exactly the scopes of the proxy: a missing or unknown one does not compile.
   * Default: no MCP scope needs an upstream scope.
   */
  readonly scopes?: Map | undefined
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
    /** How a token is revoked. `undefined`: not at all. */
    readonly revocation?: Revocation | undefined
  }

/** How an upstream revokes a token: with a request of RFC 7009, or as GitHub does it below the URL `applications`. */
export type Revocation =
  | { readonly type: "rfc7009"; readonly endpoint: string }
  | { readonly type: "github"; readonly applications: string }

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

/** The part of an upstream that can differ from one deployment to another. */
export interface Place {
  readonly server: Server
  /** The tenant of Entra ID whose members `Admit.tenantMembers` admits. */
  readonly tenant?: string | undefined
  /** The URL below which tools find the API of the upstream, without a final slash. */
  readonly apiUrl: string
}

/**
 * An upstream of the OAuth proxy. `Scopes` are the MCP scopes that it maps, and `never` stands for an upstream without a map.
 *
 * @category models
 * @since 0.1.0
 */
export interface Upstream<in out Scopes extends string> {
  readonly [TypeId]: { readonly _Scopes: Types.Invariant<Scopes> }
  readonly kind: Kind
  readonly name: string
  readonly clientId: string | Config.Config<string>
  readonly clientSecret: Redacted.Redacted | Config.Config<Redacted.Redacted>
  readonly method: "client_secret_basic" | "client_secret_post"
  /** Reads the options that are given as `Config`. */
  readonly place: Effect.Effect<Place, AuthConfigError | Config.ConfigError>
  /** `undefined` if no MCP scope needs an upstream scope. */
  readonly scopes: ReadonlyMap<string, ReadonlyArray<string>> | undefined
  readonly quirks: Quirks
}

/** An upstream whose options were read. */
export interface ReadUpstream extends Place {
  readonly kind: Kind
  readonly name: string
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  readonly method: "client_secret_basic" | "client_secret_post"
  readonly scopes: ReadonlyMap<string, ReadonlyArray<string>>
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
  readonly place: Upstream<never>["place"]
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
  place: definition.place,
  scopes: options.scopes && new Map(Object.entries(options.scopes)),
  quirks: definition.quirks
})

/** Reads the options of an upstream. `scopes` are those of the proxy. Fails if a `Config` has no value, or a wrong one. */
export const read = <S extends string>(
  { clientId, clientSecret, place, scopes, ...others }: Upstream<S>,
  offered: ReadonlyArray<string>
): Effect.Effect<ReadUpstream, AuthConfigError | Config.ConfigError> =>
  Effect.gen(function*() {
    return {
      ...others,
      ...yield* place,
      clientId: yield* readText(clientId, "upstream.clientId", clientIdRule),
      clientSecret: Redacted.isRedacted(clientSecret) ? clientSecret : yield* clientSecret,
      scopes: scopes ?? new Map(offered.map((scope) => [scope, []]))
    }
  })

/** Returns a text, or reads the `Config` of one, and checks its value. `option` is the path of the option in errors. */
export const readText = <A extends string | undefined>(
  value: A | Config.Config<A>,
  option: string,
  rule: ConfigOption.Rule
): Effect.Effect<A, AuthConfigError | Config.ConfigError> =>
  Config.isConfig(value)
    ? Effect.flatMap(value, (text) =>
      Effect.fromResult(ConfigOption.attempt(() => {
        if (text !== undefined) rule(text, option)
        return text
      })))
    : Effect.succeed(value)

/** Accepts a `Config` as well, whose value `readText` checks. */
export const orConfig = (rule: ConfigOption.Rule): ConfigOption.Rule => (value, option) => {
  if (!Config.isConfig(value)) rule(value, option)
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

/** A name has no character of a path, of a record key or of the separator of subjects. */
const names = /^[a-z][a-z0-9-]{0,31}$/

/** Tells whether a text can be the name of an upstream. */
export const isName = (text: unknown): text is string => typeof text === "string" && names.test(text)

const clientIdRule = ConfigOption.rule(isText, "text", "Write the client id that the upstream gave to the proxy")

/** The rules of the options that all upstreams have. */
export const commonTable: ConfigOption.Table<keyof CommonOptions<ScopeMap>> = {
  clientId: orConfig(clientIdRule),
  clientSecret: (value, option) => {
    if (typeof value === "string") {
      throw ConfigOption.error(option, "the value is a text. Write Redacted.make(secret) or Config.Redacted(name)")
    }
  },
  name: ConfigOption.rule(
    isName,
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
export const required = ["clientId", "clientSecret"] as const

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
