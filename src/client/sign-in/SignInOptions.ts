import type * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as UrlOption from "../../protocol/UrlOption.ts"
import type { Credentials } from "../ClientProof.ts"
import * as grants from "../Grant.ts"
import * as serverDiscovery from "../ServerDiscovery.ts"
import * as legacyDiscovery from "./LegacyDiscovery.ts"

/* The options that every kind of sign-in shares. */

/**
 * Describes the client to authorization servers that do not know it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClientOptions {
  /** The name that a person sees on the consent page after a dynamic registration (RFC 7591). */
  readonly name: string
  /**
   * The URL of the client's metadata document, which is its client id at authorization servers that support Client ID Metadata
   * Documents. Default: none.
   */
  readonly metadataUrl?: string | undefined
  /**
   * A private JSON Web Key with `alg`, and `kid` if the document lists several keys. Set it if the metadata document names the method
   * `private_key_jwt` and publishes the public key in `jwks` or at `jwks_uri`. Default: the document names the method `none`.
   */
  readonly privateKey?: ClientAuthentication.PrivateKey["privateKey"] | undefined
}

/**
 * An authorization server to which the client sends people, and what the client knows about it.
 *
 * @category models
 * @since 0.1.0
 */
export type AllowedIssuer =
  & {
    /** The issuer identifier. */
    readonly issuer: string
    /** Uses PKCE with S256 although the metadata of the server list no methods. Default: `false`. */
    readonly assumeS256?: boolean | undefined
    /** Whether requests name the MCP server (`resource`, RFC 8707). Some servers reject the parameter. Default: `true`. */
    readonly resourceParameter?: boolean | undefined
  }
  & (
    | (ClientAuthentication.Secret | ClientAuthentication.PrivateKey)
    | { readonly clientId?: string | undefined; readonly clientSecret?: never; readonly privateKey?: never }
  )

/**
 * The options that every kind of sign-in shares.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignInOptions {
  /** Describes the client to authorization servers that do not know it. */
  readonly client: ClientOptions
  /**
   * The authorization servers to which the client sends people. If an MCP server names several of them, the first one in this order
   * is used. An entry with `clientId` contains the credentials of a client that was registered before.
   */
  readonly allowIssuers: ReadonlyArray<string | AllowedIssuer> | typeof grants.anyIssuer
  /**
   * Also supports MCP servers of revision 2025-03-26 without protected resource metadata. If each URL of these metadata answers 404,
   * the authorization server is the origin of the MCP server. If the origin has no authorization server metadata (RFC 8414) either,
   * the client uses its endpoints `/authorize`, `/token` and `/register`. No document lists S256 then, so the entry of the origin in
   * `allowIssuers` also needs `assumeS256: true`. Default: `false`.
   */
  readonly legacy?: boolean | undefined
}

const checkName = ConfigOption.rule(
  (value) => typeof value === "string" && value.length > 0 && value.length <= 100,
  "a text of at most 100 characters",
  "Write the name that people know"
)

const clientTable: ConfigOption.Table<keyof ClientOptions> = {
  name: checkName,
  metadataUrl: (value, option) => {
    const url = UrlOption.check(value, option, {
      allowsHttp: false,
      allowsQuery: true,
      advice: "Write the URL of the metadata document of the client, such as \"https://tool.example.com/client.json\"",
      adviceOnHttp: "Use https",
      adviceOnParts: "Write the URL without this part"
    })
    if (url.pathname === "/") {
      throw ConfigOption.error(option, `${UrlOption.describe(value)} has no path. Write the URL of a document`)
    }
  },
  // The key is checked when the client is created.
  privateKey: true
}

const issuerTable: ConfigOption.Table<ConfigOption.NamesOf<AllowedIssuer>> = {
  issuer: true,
  assumeS256: ConfigOption.oneOf(false, true),
  resourceParameter: ConfigOption.oneOf(false, true),
  clientId: true,
  clientSecret: true,
  privateKey: true,
  method: true,
  assertionAudience: true
}

const checkIssuer = (value: unknown, option: string): void => {
  UrlOption.check(value, option, {
    allowsHttp: false,
    allowsQuery: false,
    advice: "Write the issuer of an authorization server, such as \"https://auth.example.com\"",
    adviceOnHttp: "Use https",
    adviceOnParts: "Write the issuer exactly as in the metadata of the authorization server"
  })
}

const checkIssuers: ConfigOption.Rule = (value, option) => {
  if (value === grants.anyIssuer) return
  if (!Array.isArray(value) || value.length === 0) {
    throw ConfigOption.invalid(
      option,
      value,
      "a list of issuers that is not empty",
      "Write one such as [\"https://auth.example.com\"]"
    )
  }
  const seen = new Set<unknown>()
  for (const [index, entry] of value.entries()) {
    const path = `${option}[${index}]`
    const isObject = OptionValue.isObject(entry)
    if (isObject) ConfigOption.check(entry, path, issuerTable)
    const issuer = isObject ? entry["issuer"] : entry
    checkIssuer(issuer, isObject ? `${path}.issuer` : path)
    if (seen.has(issuer)) {
      throw ConfigOption.error(path, `${UrlOption.describe(issuer)} is listed twice. Remove one entry`)
    }
    seen.add(issuer)
  }
}

/** The rules of the shared options. */
export const table: ConfigOption.Table<keyof SignInOptions> = {
  client: ConfigOption.object(clientTable),
  allowIssuers: checkIssuers,
  legacy: ConfigOption.oneOf(false, true)
}

/**
 * Checks that the shared options are there. Options that are missing do not reach their rules. `prefix` is the path of the options in
 * errors.
 */
export const checkPresent = ({ allowIssuers, client }: SignInOptions, prefix = ""): void => {
  ConfigOption.check(client, `${prefix}client`, clientTable, "Give one with a name")
  checkName(client.name, `${prefix}client.name`)
  if (client.privateKey !== undefined && client.metadataUrl === undefined) {
    throw ConfigOption.error(
      `${prefix}client.metadataUrl`,
      "the option is missing, and client.privateKey belongs to the document. Set it, or write the key in allowIssuers",
      "missing"
    )
  }
  checkIssuers(allowIssuers, `${prefix}allowIssuers`)
}

/** Checks a redirect URI (OAuth 2.1 §2.3.1). Throws `AuthConfigError`. */
export const checkRedirectUri = (value: unknown, option: string): void => {
  UrlOption.check(value, option, {
    allowsHttp: false,
    allowsQuery: true,
    advice: "Write the URL of your callback, such as \"https://app.example.com/oauth/callback\"",
    adviceOnHttp: "Use https",
    adviceOnParts: "Write the URL without this part"
  })
}

/** Returns the discovery of a client with the option `legacy`. */
export const discoveryFor = ({ legacy = false }: Pick<SignInOptions, "legacy">): typeof serverDiscovery.make =>
  legacy ? legacyDiscovery.make : serverDiscovery.make

/** The statements of the author about one issuer. */
export interface IssuerSettings {
  readonly assumesS256: boolean
  readonly sendsResource: boolean
  /** The credentials of a client that was registered before. */
  readonly credentials: Credentials | undefined
}

/** The allowed issuers in the author's order, and the settings of each of them. */
export interface Issuers {
  readonly allowed: serverDiscovery.AllowedIssuers
  readonly settingsFor: (issuer: string) => IssuerSettings
  /** The credentials of the client and of all entries, with the path of each. */
  readonly credentials: ReadonlyArray<readonly [path: string, credentials: Credentials]>
}

/** Returns the credentials of a client with a metadata document, at authorization servers that support these documents. */
export const documentCredentials = ({ metadataUrl, privateKey }: ClientOptions): Credentials | undefined =>
  metadataUrl === undefined
    ? undefined
    : privateKey === undefined
    ? { clientId: metadataUrl, method: "none" }
    : { clientId: metadataUrl, privateKey }

/** Reads the allowed issuers. */
export const readIssuers = ({ allowIssuers, client }: Pick<SignInOptions, "allowIssuers" | "client">): Issuers => {
  const settings = new Map<string, IssuerSettings>()
  const ofDocument = documentCredentials(client)
  const all: Array<readonly [string, Credentials]> = ofDocument === undefined ? [] : [["client", ofDocument]]
  for (const [index, entry] of (allowIssuers === grants.anyIssuer ? [] : allowIssuers).entries()) {
    if (typeof entry === "string") continue
    const { assumeS256, issuer, resourceParameter, ...rest } = entry
    const hasCredentials = Object.values(rest).some((value) => value !== undefined)
    const credentials = !hasCredentials
      ? undefined
      : "clientSecret" in rest || "privateKey" in rest
      ? rest as Credentials
      : { ...rest, method: "none" } as Credentials
    if (credentials !== undefined) all.push([`allowIssuers[${index}]`, credentials])
    settings.set(issuer, {
      assumesS256: assumeS256 === true,
      sendsResource: resourceParameter !== false,
      credentials
    })
  }
  const unknown: IssuerSettings = { assumesS256: false, sendsResource: true, credentials: undefined }
  return {
    allowed: allowIssuers === grants.anyIssuer
      ? "any"
      : allowIssuers.map((entry) =>
        typeof entry === "string" ? entry : entry.issuer
      ) as unknown as serverDiscovery.AllowedIssuers,
    settingsFor: (issuer) => settings.get(issuer) ?? unknown,
    credentials: all
  }
}
