/**
 * The clients that the operator of an OAuth proxy registers by hand.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isEqual } from "../../crypto/ConstantTime.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Client } from "./Client.ts"
import * as clientName from "./ClientName.ts"
import * as redirectUris from "./RedirectUri.ts"

/**
 * A client that the operator registers by hand, such as Copilot Studio.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredClient {
  /** The `client_id`: 1 to 200 visible ASCII characters. It must not begin with `https:` or `c1.`. */
  readonly clientId: string
  /** The secret, with at least 32 bytes. Default: none, so that the client is public. */
  readonly clientSecret?: Redacted.Redacted | undefined
  /** The name on the consent page. Default: none. */
  readonly clientName?: string | undefined
  /**
   * The redirect URIs: https, http on `localhost`, `127.0.0.1` or `[::1]`, or a private-use scheme. Each one is compared as a whole; only
   * the port of a loopback URI may differ.
   */
  readonly redirectUris: readonly [string, ...ReadonlyArray<string>]
}

/** The clients that the operator registered. */
export interface RegisteredClients {
  readonly find: (id: string) => Client | undefined
  readonly hasSecret: (id: string) => boolean
  /** Checks the secret of a client in constant time. */
  readonly authenticate: (id: string, secret: string) => Effect.Effect<boolean>
}

const table: ConfigOption.Table<keyof RegisteredClient> = {
  clientId: ConfigOption.rule(
    (value) => typeof value === "string" && /^(?!https:|c1\.)[\x21-\x7e]{1,200}$/.test(value),
    "1 to 200 visible ASCII characters that do not begin with https: or c1.",
    "Write an id such as \"copilot-studio\""
  ),
  clientSecret: ConfigOption.checkSecret,
  clientName: ConfigOption.rule(
    (value) => typeof value === "string" && clientName.clean(value) === value,
    "a name of at most 64 characters",
    "Leave it out for no name"
  ),
  redirectUris: true
}

const forbidden = /^(?:https?|javascript|data|file|vbscript|blob|about|view-source|filesystem|ws|wss|ftp|mailto|tel):/i

/** Tells whether a text is a URI with a private-use scheme that the operator may allow (RFC 8252 §7.1). */
export const isPrivateUse = (uri: unknown): uri is string =>
  typeof uri === "string" && uri.length <= redirectUris.maximumLength &&
  /^[a-z][a-z0-9+.-]*:\/[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*$/.test(uri) && !forbidden.test(uri) &&
  URL.canParse(uri)

/** Checks the option `clients`, and returns the clients. Throws `AuthConfigError`. */
export const read = (clients: unknown, option: string): RegisteredClients => {
  if (!Array.isArray(clients)) {
    throw ConfigOption.invalid(option, clients, "a list of clients", "Leave it out for none")
  }
  const byId = new Map<string, Client>()
  const secrets = new Map<string, Redacted.Redacted>()
  for (const [index, given] of clients.entries()) {
    const path = `${option}[${index}]`
    ConfigOption.check(given, path, table)
    const { clientId, clientName, clientSecret, redirectUris: uris } = given as RegisteredClient
    if (typeof clientId !== "string") {
      throw ConfigOption.error(`${path}.clientId`, "the id is missing. Write one", "missing")
    }
    if (byId.has(clientId)) {
      throw ConfigOption.error(`${path}.clientId`, "two clients have this id. Remove one", "duplicate")
    }
    if (!Array.isArray(uris) || uris.length === 0) {
      throw ConfigOption.invalid(
        `${path}.redirectUris`,
        uris,
        "a list with at least one URI",
        "Write the URIs of the client"
      )
    }
    const privateUse = uris.filter(isPrivateUse)
    for (const uri of uris) {
      if (typeof uri === "string" && redirectUris.kindOf(uri, privateUse) !== undefined) continue
      throw ConfigOption.error(
        `${path}.redirectUris`,
        `${
          OptionValue.describe(uri)
        } is not a redirect URI. Write https, http on localhost, 127.0.0.1 or [::1], or a private-use scheme`
      )
    }
    byId.set(clientId, {
      id: clientId,
      kind: "registered",
      name: clientName,
      document: undefined,
      redirectKind: (uri) =>
        uris.some((registered) => redirectUris.matches(registered, uri))
          ? redirectUris.kindOf(uri, privateUse)
          : undefined
    })
    if (clientSecret !== undefined) secrets.set(clientId, clientSecret)
  }
  return {
    find: (id) => byId.get(id),
    hasSecret: (id) => secrets.has(id),
    authenticate: (id, given) => {
      const secret = secrets.get(id)
      if (secret === undefined) return Effect.succeed(false)
      return Effect.zipWith(sha256(given), sha256(Redacted.value(secret)), isEqual)
    }
  }
}
