import * as Effect from "effect/Effect"
import * as ClientAuthentication from "../outbound/ClientAuthentication.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { Mismatch } from "./ClientError.ts"

/* Proves the identity of a client to the token endpoint of an authorization server. */

/** A client without credentials. */
export interface PublicClient {
  readonly clientId: string
  readonly method: "none"
}

/** The credentials of a client at one authorization server. */
export type Credentials = ClientAuthentication.Secret | ClientAuthentication.PrivateKey | PublicClient

/** An authorization server, and `token_endpoint_auth_methods_supported` of its metadata. */
export interface Server {
  readonly issuer: string
  readonly methods: ReadonlyArray<string> | undefined
}

const isPublic = (credentials: Credentials): credentials is PublicClient =>
  credentials.method === "none" && !("clientSecret" in credentials) && !("privateKey" in credentials)

/** Checks credentials. Their form does not depend on the authorization server. `option` is their path in errors. */
export const check = (
  credentials: Credentials | undefined,
  option: string
): Effect.Effect<void, AuthConfigError> =>
  credentials === undefined
    ? Effect.void
    : isPublic(credentials)
    ? typeof credentials.clientId === "string" && credentials.clientId !== ""
      ? Effect.void
      : ConfigOption.error(
        `${option}.clientId`,
        `${
          OptionValue.isNot(credentials.clientId, "text")
        }. Write the client id that the authorization server gave to this client`,
        "missing"
      )
    : Effect.asVoid(ClientAuthentication.make(credentials, { issuer: "https://issuer.invalid", option }))

/**
 * Creates the proof for one request. An author who sets `method` decides. Otherwise the metadata decide whether a secret is sent
 * with HTTP Basic or in the body. A server without a list supports HTTP Basic (RFC 8414 §2).
 */
export const make = (
  credentials: Credentials | undefined,
  { issuer, methods }: Server,
  option: string
): Effect.Effect<ClientAuthentication.Proof, Mismatch> => {
  if (credentials === undefined) return Effect.succeed({ headers: {}, parameters: {} })
  if (isPublic(credentials)) return Effect.succeed({ headers: {}, parameters: { client_id: credentials.clientId } })
  const usable = "privateKey" in credentials
    ? ["private_key_jwt"] as const
    : ["client_secret_basic", "client_secret_post"] as const
  const method = credentials.method ?? (methods === undefined ? usable[0] : usable.find((_) => methods.includes(_)))
  return method === undefined
    ? Effect.fail(
      new Mismatch({
        what: "authentication-method",
        expected: `${usable.join(" or ")} at ${issuer}`,
        found: methods!.join(", ")
      })
    )
    // The options were checked when the session was created.
    : Effect.flatten(
      Effect.orDie(ClientAuthentication.make({ ...credentials, method } as never, { issuer, option }))
    )
}
