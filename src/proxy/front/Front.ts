import type { Store } from "../../store/records/RecordStore.ts"
import type { Grants } from "../grants/Grants.ts"
import type { ProxyKeys } from "../keys/ProxyKeys.ts"
import type { RecordKeys } from "../keys/RecordKeys.ts"
import type { UpstreamLeg } from "../upstream/UpstreamLeg.ts"
import type { Clients } from "./Clients.ts"
import type { Cookies } from "./Cookies.ts"
import type { DynamicClients } from "./DynamicClient.ts"
import type { Limits } from "./Limits.ts"
import type { Appearance, Pages } from "./Pages.ts"
import type { Transactions } from "./Transaction.ts"

/* The parts that the endpoints of the proxy use. */

/** A protected resource of the proxy, and its scopes. */
export interface Resource {
  /** The canonical resource identifier. */
  readonly resource: string
  /** The scopes of a request that names none. */
  readonly baseline: ReadonlyArray<string>
  readonly offered: ReadonlyArray<string>
}

/** The URLs of the proxy. They come from the configuration, never from a request. */
export interface Urls {
  readonly authorize: string
  readonly consent: string
  readonly callback: string
  readonly token: string
  readonly revoke: string
  readonly register: string
  readonly jwks: string
  readonly metadata: string
}

/** The parts that the endpoints use. */
export interface Parts {
  readonly issuer: string
  readonly urls: Urls
  readonly resources: readonly [Resource, ...ReadonlyArray<Resource>]
  readonly clients: Clients
  /** Whether clients can identify themselves with a metadata document. */
  readonly hasDocuments: boolean
  readonly registrations: DynamicClients
  readonly appearance: Appearance
  readonly limits: Limits
  readonly upstream: {
    /** The name for pages. */
    readonly title: string
    readonly leg: UpstreamLeg
  }
  readonly grants: Grants
  readonly store: Store
  readonly recordKey: RecordKeys
  readonly keys: Pick<ProxyKeys, "mac" | "publicKeys" | "seal">
}

/** The parts that the endpoints for browsers use. */
export interface Front extends Parts {
  readonly pages: Pages
  readonly cookies: Cookies
  readonly transactions: Transactions
}

/** Returns the URLs of an issuer and the name of its upstream. */
export const urlsOf = (issuer: string, upstream: string): Urls => {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, "")
  const at = (name: string) => `${origin}${path}/${name}`
  return {
    authorize: at("authorize"),
    consent: at("consent"),
    callback: at(`callback/${upstream}`),
    token: at("token"),
    revoke: at("revoke"),
    register: at("register"),
    jwks: at("jwks"),
    metadata: `${origin}/.well-known/oauth-authorization-server${path}`
  }
}
