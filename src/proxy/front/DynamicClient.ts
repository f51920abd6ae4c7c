import * as Effect from "effect/Effect"
import * as base64url from "../../crypto/Base64Url.ts"
import { isRecord } from "../../protocol/Json.ts"
import type { Mac } from "../keys/ProxyKeys.ts"
import type { Client } from "./Client.ts"
import * as clientName from "./ClientName.ts"
import * as redirectUris from "./RedirectUri.ts"

/*
 * Registers clients without a store (RFC 7591). The id of a client contains its metadata, and a tag shows that this proxy created
 * the id. The same metadata give the same id, so a client that registers again keeps its grants.
 *
 * The id is `c1.<kid>.<content>.<tag>`. The content is the base64url of a JSON list: the name or "", 1 for a native and 0 for a web
 * application, and the redirect URIs. Anyone can register, so the tag gives no trust: the rules apply again at each use.
 */

/** The longest id, in characters. It is part of URLs, and programs open only URLs of about 2,000 characters. */
export const maximumId = 1_000

/** The largest number of redirect URIs in a registration. */
export const maximumUris = 10

const prefix = "c1."

/** Tells whether an id has the form of a registered client. */
export const hasForm = (id: string): boolean => id.startsWith(prefix)

export interface DynamicClients {
  /** Registers a client. Fails with an error of RFC 7591 §3.2.2. */
  readonly register: (metadata: unknown) => Effect.Effect<Registration, RegistrationError>
  /** Returns the client of an id, or `undefined` if this proxy did not create the id or the rules have changed. */
  readonly find: (id: string) => Effect.Effect<Client | undefined>
}

/** The answer to a registration. It states the values in force instead of the requested ones. */
export interface Registration {
  readonly client_id: string
  readonly client_name?: string
  readonly application_type: "native" | "web"
  readonly redirect_uris: ReadonlyArray<string>
  readonly token_endpoint_auth_method: "none"
  readonly grant_types: ReadonlyArray<string>
  readonly response_types: ReadonlyArray<string>
}

export interface RegistrationError {
  readonly error: "invalid_redirect_uri" | "invalid_client_metadata"
  readonly description: string
}

const invalid = (description: string): Effect.Effect<never, RegistrationError> =>
  Effect.fail({ error: "invalid_client_metadata", description })

type Content = readonly [name: string, native: 0 | 1, ...uris: ReadonlyArray<string>]

/** Creates the registrations. `privateUse` lists the redirect URIs with private-use schemes that clients may have. */
export const make = (mac: Mac, privateUse: ReadonlyArray<string>): DynamicClients => ({
  register: (metadata) => {
    if (!isRecord(metadata)) return invalid("the body is not a JSON object")
    const given = metadata["redirect_uris"]
    if (!Array.isArray(given) || given.length === 0) return invalid("redirect_uris is not a list with an entry")
    if (given.length > maximumUris) return invalid(`redirect_uris has more than ${maximumUris} entries`)
    const uris = [...new Set<unknown>(given)].filter((uri): uri is string =>
      typeof uri === "string" && redirectUris.kindOf(uri, privateUse) !== undefined
    )
    if (uris.length === 0) {
      return Effect.fail({
        error: "invalid_redirect_uri",
        description:
          "no entry of redirect_uris can be used: expected https, http on localhost, 127.0.0.1 or [::1], or a listed private-use URI"
      })
    }
    const name = clientName.clean(metadata["client_name"])
    const native = metadata["application_type"] === "native" || uris.every((uri) => !uri.startsWith("https:")) ? 1 : 0
    const content: Content = [name ?? "", native, ...uris]
    const text = `${prefix}${mac.kid}.${base64url.encode(new TextEncoder().encode(JSON.stringify(content)))}`
    return Effect.flatMap(mac.sign(mac.kid, text), (tag) => {
      const id = `${text}.${tag}`
      if (id.length > maximumId) {
        return invalid(`the metadata are too long: the client id would have ${id.length} characters`)
      }
      return Effect.succeed<Registration>({
        client_id: id,
        ...(name === undefined ? {} : { client_name: name }),
        application_type: native === 1 ? "native" : "web",
        redirect_uris: uris,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"]
      })
    })
  },
  find: (id) => {
    const parts = id.split(".")
    const [, kid, encoded, tag] = parts
    if (!hasForm(id) || id.length > maximumId || parts.length !== 4) return Effect.undefined
    return Effect.map(mac.verify(kid!, id.slice(0, id.lastIndexOf(".")), tag!), (isOurs) => {
      if (!isOurs) return undefined
      const [name, , ...uris] = JSON.parse(new TextDecoder().decode(base64url.decode(encoded!))) as Content
      return {
        id,
        kind: "dynamic",
        name: clientName.clean(name),
        document: undefined,
        redirectKind: (uri) =>
          uris.some((registered) =>
              redirectUris.kindOf(registered, privateUse) !== undefined && redirectUris.matches(registered, uri)
            )
            ? redirectUris.kindOf(uri, privateUse)
            : undefined
      }
    })
  }
})
