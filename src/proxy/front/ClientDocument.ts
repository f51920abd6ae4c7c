import * as Result from "effect/Result"
import { isRecord, parseObject } from "../../protocol/Json.ts"
import { isShallow } from "../../protocol/JsonDepth.ts"
import type { Client } from "./Client.ts"
import * as clientName from "./ClientName.ts"
import * as redirectUris from "./RedirectUri.ts"

/* Reads Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document). */

/** The largest number of redirect URIs that are read of a document. */
const maximumUris = 32

/** Members that show a client with a secret. A public document cannot contain one (§4.1). */
const secrets = ["client_secret", "client_secret_expires_at"]

/**
 * Returns the client that a document describes. Fails with the second part of a sentence about the document. Unusable redirect URIs
 * are left out. Members that pages would load, such as `logo_uri`, are not read.
 */
export const read = (
  url: string,
  body: Uint8Array,
  privateUse: ReadonlyArray<string>
): Result.Result<Client, string> => {
  const document = parseObject(body)
  if (document === undefined || !isShallow(document)) return Result.fail("is not a JSON object")
  if (document["client_id"] !== url) return Result.fail("has another client_id than its URL")
  if (secrets.some((name) => Object.hasOwn(document, name))) return Result.fail("contains a client secret")
  const methods = document["token_endpoint_auth_method"] ?? "none"
  const listed: ReadonlyArray<unknown> = Array.isArray(methods) ? methods : [methods]
  if (listed.some((method) => typeof method !== "string" || method.startsWith("client_secret"))) {
    return Result.fail("has an authentication method with a secret")
  }
  if (!listed.includes("none")) return Result.fail("does not list the authentication method none")
  const jwks = document["jwks"]
  if (isRecord(jwks) && JSON.stringify(jwks).includes("\"d\":")) return Result.fail("contains a private key")
  const given = document["redirect_uris"]
  const uris = (Array.isArray(given) ? given.slice(0, maximumUris) : []).filter((uri): uri is string =>
    typeof uri === "string" && redirectUris.kindOf(uri, privateUse) !== undefined
  )
  if (uris.length === 0) return Result.fail("has no redirect URI that can be used")
  return Result.succeed({
    id: url,
    kind: "document",
    name: clientName.clean(document["client_name"]),
    document: url,
    redirectKind: (uri) =>
      uris.some((registered) => redirectUris.matches(registered, uri))
        ? redirectUris.kindOf(uri, privateUse)
        : undefined
  })
}
