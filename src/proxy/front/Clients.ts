import * as Effect from "effect/Effect"
import { type Client, ClientDocumentError } from "./Client.ts"
import type { ClientDocuments } from "./ClientDocuments.ts"
import { isUrl } from "./ClientDocumentUrl.ts"
import * as dynamicClient from "./DynamicClient.ts"
import type { RegisteredClients } from "./RegisteredClients.ts"

/* Finds the client of a client id, and authenticates clients at the token endpoint. */

export interface Clients {
  /** Returns the client. May fetch its metadata document. Fails with the reason if there is no such client. */
  readonly find: (id: string) => Effect.Effect<Client, ClientDocumentError>
  /**
   * Authenticates the client of a request to the token endpoint (RFC 6749 §2.3). Returns the client id, or `undefined` if the
   * client is unknown or its secret is missing, wrong or unexpected. Fetches nothing, because grants are bound to the id.
   */
  readonly authenticate: (credentials: Credentials) => Effect.Effect<string | undefined>
  /** The authentication methods for the metadata. */
  readonly methods: ReadonlyArray<string>
}

/** The credentials in a request to the token endpoint. */
export interface Credentials {
  /** The lines of `Authorization`. */
  readonly authorization: ReadonlyArray<string>
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
}

const unknown = new ClientDocumentError({ reason: "invalid", detail: "the client is not registered" })

/** Creates the look-up. `documents` is absent on platforms that cannot fetch documents safely. */
export const make = (
  registered: RegisteredClients,
  dynamic: dynamicClient.DynamicClients,
  documents: ClientDocuments | undefined,
  hasSecrets: boolean
): Clients => ({
  methods: hasSecrets ? ["none", "client_secret_basic", "client_secret_post"] : ["none"],
  find: (id) => {
    const known = registered.find(id)
    if (known !== undefined) return Effect.succeed(known)
    if (dynamicClient.hasForm(id)) {
      return Effect.flatMap(
        dynamic.find(id),
        (client) => client === undefined ? Effect.fail(unknown) : Effect.succeed(client)
      )
    }
    return documents !== undefined && isUrl(id) ? documents.find(id) : Effect.fail(unknown)
  },
  authenticate: (given) =>
    Effect.gen(function*() {
      const credentials = given.authorization.length === 0
        ? given.clientId === undefined ? undefined : { id: given.clientId, secret: given.clientSecret }
        : readBasic(given)
      if (credentials === undefined) return undefined
      const { id, secret } = credentials
      if (registered.hasSecret(id)) {
        return secret !== undefined && (yield* registered.authenticate(id, secret)) ? id : undefined
      }
      // A public client proves nothing with a secret, so a secret is a sign of a wrong configuration.
      if (secret !== undefined) return undefined
      if (registered.find(id) !== undefined) return id
      if (dynamicClient.hasForm(id)) return (yield* dynamic.find(id))?.id
      return documents !== undefined && isUrl(id) ? id : undefined
    })
})

/** Reads HTTP Basic credentials (RFC 6749 §2.3.1). A request must not use a second method. */
const readBasic = ({ authorization, clientId, clientSecret }: Credentials) => {
  const [line] = authorization
  const encoded = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(line ?? "")?.[1]
  if (authorization.length !== 1 || encoded === undefined || clientSecret !== undefined) return undefined
  try {
    const [, id, secret] = /^([^:]*):(.*)$/s.exec(atob(encoded))?.map((part) =>
      decodeURIComponent(part.replaceAll("+", " "))
    ) ?? []
    if (id === undefined || secret === undefined || (clientId !== undefined && clientId !== id)) return undefined
    return { id, secret: secret === "" ? undefined : secret }
  } catch {
    return undefined
  }
}
