import * as Data from "effect/Data"
import type { Kind } from "./RedirectUri.ts"

/** A client of the proxy, whose redirect URIs are checked. */
export interface Client {
  /** The exact `client_id`. */
  readonly id: string
  /** The origin of the metadata: the operator, a document at its URL, or only the client itself. */
  readonly kind: "registered" | "document" | "dynamic"
  /** The name for pages, without unsafe characters. Only the name of a registered client is verified. */
  readonly name: string | undefined
  /** The URL of the client's metadata document, which is also its id. */
  readonly document: string | undefined
  /** Returns the kind of a redirect URI of this client, or `undefined` if the client did not register it. */
  readonly redirectKind: (uri: string) => Kind | undefined
}

/** Reports that the document of a client cannot be used. `unavailable` means that another request may succeed. */
export class ClientDocumentError extends Data.TaggedError("ClientDocumentError")<{
  readonly reason: "invalid" | "unavailable"
  readonly detail: string
}> {}
