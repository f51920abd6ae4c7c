import type * as Duration from "effect/Duration"
import type { Algorithm } from "../../crypto/Algorithm.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Client } from "./endpoints.ts"
import type { TestIssuer } from "./issuerModel.ts"
import type { SignInMode } from "./signIn.ts"

/**
 * The options of an issuer. The defaults are those of a correct authorization server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The issuer of the authorization server. Default: `https://issuer.test`. */
  readonly issuer?: string | undefined
  /** The default audience of tokens. Default: `https://server.test/mcp`. */
  readonly resource?: string | undefined
  /** The algorithm of tokens. Default: ES256, whose keys are the fastest to generate. */
  readonly algorithm?: Algorithm | undefined
  /** Additional algorithms with published keys. Default: none. */
  readonly algorithms?: ReadonlyArray<Algorithm> | undefined
  /** The clients, by id. Default: `resource-server` with the secret `resource-server-secret`. */
  readonly clients?: Readonly<Record<string, Client>> | undefined
  /** Adds members to the metadata or replaces members of the same name; `undefined` removes a member. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Adds members to every public key or replaces members of the same name; `undefined` removes a member. */
  readonly jwk?: Readonly<Record<string, unknown>> | undefined
  /** The URL of the key set. Its origin can differ from that of the issuer. Default: `/jwks` below the issuer. */
  readonly jwksUri?: string | undefined
  /**
   * Other issuers that the `HttpClient` and `fetch` reach as well, for servers that accept tokens of several issuers. Default:
   * none.
   */
  readonly others?: ReadonlyArray<TestIssuer["Service"]> | undefined
  /**
   * The identity providers whose ID-JAGs the token endpoint accepts as grants, for enterprise-managed authorization. The
   * `HttpClient` and `fetch` reach them as well. Default: none.
   */
  readonly identityProviders?: ReadonlyArray<TestIssuer["Service"]> | undefined
  /**
   * The issuers whose JWTs the token endpoint accepts from workloads without other credentials (RFC 7523 §2.1). The `HttpClient`
   * and `fetch` reach them as well. Default: none.
   */
  readonly workloadIssuers?: ReadonlyArray<TestIssuer["Service"]> | undefined
  /**
   * Lets people sign in with the authorization code grant and PKCE, lets clients register themselves (RFC 7591), and issues refresh
   * tokens that rotate. With `immediate`, the authorization endpoint redirects at once. With `page`, it shows a page with a text field
   * and the buttons Allow and Deny, as `TestBrowser` uses it. Default: no sign-in.
   */
  readonly signIn?: SignInMode | undefined
  /** The lifetime of the access tokens that the token endpoint issues. Default: 5 minutes. */
  readonly tokenLifetime?: Duration.Input | undefined
  /** Responds to requests for URLs of other origins. If it returns `undefined`, the response is 404. Default: 404. */
  readonly elsewhere?: ((url: URL) => Response | undefined) | undefined
  /** The `Cache-Control` header of the metadata and the key set. Default: no header. */
  readonly cacheControl?: string | undefined
}

const served: ConfigOption.Table<Exclude<keyof Options, "issuer">> = {
  resource: true,
  algorithm: true,
  algorithms: true,
  clients: true,
  metadata: true,
  jwk: true,
  jwksUri: true,
  others: true,
  identityProviders: true,
  workloadIssuers: true,
  signIn: ConfigOption.rule(
    (value) => value === "immediate" || value === "page",
    "\"immediate\" or \"page\"",
    "Leave it out for no sign-in"
  ),
  tokenLifetime: ConfigOption.duration("0 seconds", "365 days", "5 minutes"),
  elsewhere: true,
  cacheControl: true
}

const table: ConfigOption.Table<keyof Options> = { issuer: true, ...served }

/** Checks the options of an issuer. Throws `AuthConfigError`. `owner` is the name of the calling function. */
export const check = (options: unknown, owner: string): void => ConfigOption.check(options, owner, table)

/** Checks the options of an issuer that listens on a port. Its issuer URL is the origin of its server, not an option. */
export const checkServed = (options: unknown, owner: string): void => ConfigOption.check(options, owner, served)
