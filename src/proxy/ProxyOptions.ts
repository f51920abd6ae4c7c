/**
 * The options of the OAuth proxy.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as ProtectedResource from "../authorization/ProtectedResource.ts"
import type { Common, LiteralScopes, Scopes } from "../composition/AuthOptions.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as UrlOption from "../protocol/UrlOption.ts"
import type { Seal } from "../store/records/SealedStore.ts"
import * as admits from "./Admit.ts"
import type { Messages } from "./front/Messages.ts"
import type { Appearance } from "./front/Pages.ts"
import * as redirectUris from "./front/RedirectUri.ts"
import * as registeredClients from "./front/RegisteredClients.ts"
import type { OnGrantEvent } from "./grants/GrantEvent.ts"
import type { GrantOptions } from "./grants/GrantOptions.ts"
import type { ProxySecrets, Purpose } from "./keys/ProxyKeys.ts"
import * as presets from "./upstream/Preset.ts"

/**
 * A secret in `Redacted`, or the `Config` of one.
 *
 * @category models
 * @since 0.1.0
 */
export type SecretOption = Redacted.Redacted | Config.Config<Redacted.Redacted>

/**
 * One secret, or several during a rotation. The first one signs and seals. All of them verify and open.
 *
 * @category models
 * @since 0.1.0
 */
export type SecretsOption = SecretOption | ReadonlyArray<SecretOption>

/**
 * The look of the pages that people see.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageOptions<Scope extends string = string> {
  /** The name of the application. Default: the host of the resource. */
  readonly name?: string | undefined
  /** A color in the form `#rrggbb`, for the header and the main button. Default: `#1d4ed8`. */
  readonly color?: string | undefined
  /** Texts that replace the English ones. Default: the English texts. */
  readonly messages?: Partial<Messages> | undefined
  /** Descriptions of MCP scopes, as verb phrases such as "read your todos". Default: the scopes themselves. */
  readonly scopes?: { readonly [S in Scope]?: string } | undefined
}

/**
 * The options of the gate that a proxy passes on. `AuthLayer.make` documents them.
 *
 * @category models
 * @since 0.1.0
 */
export type PassedOptions = Pick<
  Common<Scopes>,
  "allowedHosts" | "allowedOrigins" | "decisions" | "resourceDocumentation" | "resourceName" | "tokenCache" | "unlisted"
>

/**
 * The options of a proxy. `S` are the scopes, and `R` are the services of the rule of admission.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<S extends Scopes, R = never> {
  /**
   * The resource identifier: the URL at which clients reach the MCP server, in canonical form. It must be https, except on loopback. A
   * `Config` is read when the proxy starts.
   */
  readonly resource: string | Config.Config<string>
  /**
   * The issuer identifier of the proxy. Its endpoints are below this URL. A `Config` is read when the proxy starts. Default: the origin of
   * the resource.
   */
  readonly issuer?: string | Config.Config<string | undefined> | undefined
  /** The scopes of the server, as literals. */
  readonly scopes: S & LiteralScopes<S>
  /** The identity provider that signs people in, and its scopes for each scope of the server. */
  readonly upstream: presets.Upstream<ProtectedResource.OfferedOf<S>> | presets.Upstream<never>
  /** The rule that decides which people of the upstream have access. There is no default. */
  readonly admit: admits.Admit<R>
  /**
   * The secret from which all keys are derived: at least 32 random bytes, for example the output of `openssl rand -base64 32`. To replace
   * it, add the new secret at the end of a list on every instance, then move it to the front on every instance, and remove the old
   * one later. Separate secrets for each purpose are possible.
   */
  readonly secret: SecretsOption | { readonly [P in Purpose]: SecretsOption }
  /** The clients that the operator registers by hand. Default: none. */
  readonly clients?: ReadonlyArray<registeredClients.RegisteredClient> | undefined
  /**
   * The redirect URIs with private-use schemes that clients may register, each compared as a whole (RFC 8252 §7.1). The list replaces the
   * default. Default: the URI of Cursor.
   */
  readonly privateUseRedirectUris?: ReadonlyArray<string> | undefined
  /**
   * Whether clients can identify themselves with the URL of a metadata document. It works on Node only, where connections are made to
   * public addresses only; other platforms do not advertise it. Default: `true`.
   */
  readonly clientDocuments?: boolean | undefined
  /** The look of the pages. */
  readonly pages?: PageOptions<ProtectedResource.OfferedOf<S>> | undefined
  /** The lifetimes and limits of grants. */
  readonly grants?: GrantOptions | undefined
  /** Receives the events of grants. Default: no function. */
  readonly onGrantEvent?: OnGrantEvent | undefined
  /** Receives the people that the rule of admission rejects. The log contains them as well. Default: no function. */
  readonly onAdmissionRejected?: admits.OnRejection | undefined
  /**
   * Encrypts the tokens of the upstream once more than all records of the store, for example with a key management service. Default: the
   * encryption of all records with `secret`, which is AES-256-GCM.
   */
  readonly upstreamSeal?: Seal | undefined
  /** Further options of the gate. */
  readonly gate?: PassedOptions | undefined
}

/** The options after all checks. */
export interface Checked {
  readonly resource: string
  readonly issuer: string
  readonly clients: registeredClients.RegisteredClients
  readonly hasClientSecrets: boolean
  readonly privateUse: ReadonlyArray<string>
  readonly pages: Appearance
}

const messageRule = ConfigOption.rule(
  (value) => typeof value === "string" && value !== "" && value.length <= 1_000,
  "a text of 1 to 1000 characters",
  "Leave it out for the English text"
)

const messageRules: Readonly<Record<string, ConfigOption.Rule>> = {
  language: ConfigOption.rule(
    (value) => typeof value === "string" && /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/.test(value),
    "a language tag",
    "Write one such as \"de\""
  ),
  direction: ConfigOption.oneOf("ltr", "rtl")
} satisfies Partial<Record<keyof Messages, ConfigOption.Rule>>

const pagesTable: ConfigOption.Table<keyof PageOptions> = {
  name: ConfigOption.rule(
    (value) => typeof value === "string" && value !== "" && value.length <= 100,
    "a text of 1 to 100 characters",
    "Leave it out for the host of the resource"
  ),
  color: ConfigOption.withDefault(
    "#1d4ed8",
    (value) => typeof value === "string" && /^#[0-9a-f]{6}$/i.test(value),
    "a color in the form #rrggbb"
  ),
  // `checkMessages` checks the texts.
  messages: true,
  scopes: (value, option) => {
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value)
    if (!isRecord || Object.values(value).some((text) => typeof text !== "string" || text.length > 500)) {
      throw ConfigOption.invalid(
        option,
        value,
        "an object from scopes to texts",
        "Leave it out for the scopes themselves"
      )
    }
  }
}

const passedTable: ConfigOption.Table<keyof PassedOptions> = {
  allowedHosts: true,
  allowedOrigins: true,
  decisions: true,
  resourceDocumentation: true,
  resourceName: true,
  tokenCache: true,
  unlisted: true
}

const table: ConfigOption.Table<keyof Options<Scopes>> = {
  resource: true,
  issuer: true,
  scopes: true,
  upstream: ConfigOption.marked(
    presets.TypeId,
    "a value of Upstream (effect-mcp-auth/proxy)",
    "Write one such as Upstream.github({ … })"
  ),
  admit: ConfigOption.marked(
    admits.TypeId,
    "a value of Admit (effect-mcp-auth/proxy)",
    "Write a rule such as Admit.githubOrganization(\"acme\"). Admit.anyone admits everyone with an account at the upstream"
  ),
  secret: true,
  clients: true,
  privateUseRedirectUris: ConfigOption.listOf(registeredClients.isPrivateUse, {
    entry: "a URI with a private-use scheme",
    entries: "URIs",
    advice: "Write the whole URI, in lower case",
    example: "com.example.app:/callback"
  }),
  clientDocuments: ConfigOption.oneOf(true, false),
  pages: ConfigOption.object(pagesTable),
  grants: true,
  onGrantEvent: ConfigOption.functionThat("takes an event and returns an Effect"),
  onAdmissionRejected: ConfigOption.functionThat("takes a rejection and returns an Effect"),
  upstreamSeal: ConfigOption.rule(
    (value) => typeof value?.seal === "function" && typeof value?.open === "function",
    "an object with the functions seal and open",
    "Leave it out for the encryption of all records with secret"
  ),
  gate: ConfigOption.object(passedTable)
}

/** The names of the options of a proxy without those of its host. */
const names: ReadonlyArray<PropertyKey> = Reflect.ownKeys(table)

/** Separates the options of a host, which are `store` and `more`, from those of the proxy. Throws `AuthConfigError`. */
export const separate = <More extends string = never>(
  options: object,
  ...more: ReadonlyArray<More>
): {
  readonly store: Layer.Layer<any, any, any> | undefined
  readonly host: { readonly [Name in More]?: unknown }
  readonly others: Options<any, any>
} => {
  ConfigOption.checkNames(options, "", [...names, "store", ...more])
  const { store, ...rest } = options as Record<string, unknown>
  if (store !== undefined && !Layer.isLayer(store)) {
    throw ConfigOption.invalid("store", store, "a layer", "Give one such as SqliteStore.layer({ … })")
  }
  const isOfHost = ([name]: readonly [string, unknown]) => (more as ReadonlyArray<string>).includes(name)
  const entries = Object.entries(rest)
  return {
    store: store as Layer.Layer<any, any, any> | undefined,
    host: Object.fromEntries(entries.filter(isOfHost)) as { readonly [Name in More]?: unknown },
    others: Object.fromEntries(entries.filter((entry) => !isOfHost(entry))) as unknown as Options<any, any>
  }
}

const required = ["resource", "scopes", "upstream", "admit", "secret"] as const

const urlKind = {
  allowsHttp: false,
  allowsQuery: false,
  advice: "Write one such as https://todos.example.com",
  adviceOnHttp: "Use https",
  adviceOnParts: "Write it without user, query and fragment"
}

/** The options of which a `Config` was replaced by its value. */
export interface Places {
  readonly resource: string
  readonly issuer: string | undefined
}

/** Checks the texts of the pages. The English texts are loaded on demand, because only the pages need them. */
const checkMessages = (texts: unknown): Effect.Effect<void, AuthConfigError> =>
  Effect.flatMap(
    Effect.promise(() => import("./front/Messages.ts")),
    ({ english }) =>
      Effect.fromResult(ConfigOption.attempt(() => {
        const rules = Object.entries(english).map(([name]) => [name, messageRules[name] ?? messageRule] as const)
        ConfigOption.check(texts, "pages.messages", Object.fromEntries(rules))
      }))
  )

/** Checks the names of the options, and reads `resource` and `issuer`. */
export const readPlaces = (
  options: Options<any, any>
): Effect.Effect<Places, AuthConfigError | Config.ConfigError> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(ConfigOption.attempt(() => ConfigOption.check(options, "", table)))
    if (options.pages?.messages !== undefined) yield* checkMessages(options.pages.messages)
    const read = <A>(value: A | Config.Config<A>): Effect.Effect<A, Config.ConfigError> =>
      Config.isConfig(value) ? Effect.flatMap(value, Effect.succeed) : Effect.succeed(value)
    return { resource: yield* read(options.resource), issuer: yield* read(options.issuer) }
  })

/** Checks the options that need no service. Throws `AuthConfigError`. */
export const check = (options: Options<any, any>, places: Places): Checked => {
  for (const name of required) {
    if (options[name] === undefined) {
      throw ConfigOption.error(name, "the option is missing. Set it", "missing")
    }
  }
  const resource = UrlOption.check(places.resource, "resource", { ...urlKind, allowsQuery: true })
  const issuer = places.issuer ?? resource.origin
  const url = UrlOption.check(issuer, "issuer", urlKind)
  if (url.href !== issuer && url.href !== `${issuer}/`) {
    throw ConfigOption.error("issuer", `${issuer} is not in its normalized form, which is ${url.href}. Write that form`)
  }
  const { clients = [], pages = {}, privateUseRedirectUris = redirectUris.privateUseDefaults } = options
  return {
    resource: places.resource,
    issuer,
    clients: registeredClients.read(clients, "clients"),
    hasClientSecrets: clients.some(({ clientSecret }) => clientSecret !== undefined),
    privateUse: privateUseRedirectUris,
    pages: {
      name: pages.name ?? resource.host,
      color: pages.color ?? "#1d4ed8",
      messages: pages.messages ?? {},
      scopes: (pages.scopes ?? {}) as Readonly<Record<string, string>>
    }
  }
}

const readSecret = (secret: SecretOption): Effect.Effect<Redacted.Redacted, Config.ConfigError> =>
  Config.isConfig(secret) ? Effect.flatMap(secret, Effect.succeed) : Effect.succeed(secret)

const readSecrets = (
  secrets: SecretsOption
): Effect.Effect<Redacted.Redacted | ReadonlyArray<Redacted.Redacted>, Config.ConfigError> =>
  Array.isArray(secrets)
    ? Effect.forEach(secrets as ReadonlyArray<SecretOption>, readSecret)
    : readSecret(secrets as SecretOption)

/** Reads the secrets that are given as `Config`. */
export const readProxySecrets = (
  secret: Options<any>["secret"]
): Effect.Effect<ProxySecrets, Config.ConfigError> => {
  const isSeparate = typeof secret === "object" && secret !== null && "signing" in secret
  if (!isSeparate) return readSecrets(secret as SecretsOption)
  return Effect.map(
    Effect.forEach(
      Object.entries<SecretsOption>(secret as Readonly<Record<Purpose, SecretsOption>>),
      ([purpose, secrets]) => Effect.map(readSecrets(secrets), (read) => [purpose, read] as const)
    ),
    (entries) => Object.fromEntries(entries) as unknown as ProxySecrets
  )
}
