import { getReply, type WireRevision } from "../probe/McpProbe.ts"
import type { Exchange, Reading, Response } from "../probe/Probe.ts"
import type { Located, Redirect } from "../probe/Redirect.ts"
import { text } from "../report/Json.ts"
import type { Report } from "../report/Report.ts"
import type { TokenAudience } from "./TokenAudience.ts"

/** The responses of an MCP server and of its authorization servers. */
export interface Observations {
  /** The URL of the endpoint, after redirects. */
  readonly url: string
  readonly redirects: ReadonlyArray<Redirect>
  readonly revision: WireRevision
  /** The response to a request without a token. */
  readonly withoutToken: Response
  /** The list of tools without a token. `undefined` if the server requires one. */
  readonly openList: Exchange | undefined
  readonly documents: ReadonlyArray<MetadataDocument>
  readonly issuers: ReadonlyArray<string>
  /**
   * The issuer that both official clients use if there are no metadata: the origin of the server, if it serves the metadata of
   * an authorization server.
   */
  readonly fallbackIssuer: string | undefined
  readonly parts: ReadonlyArray<
    { readonly issuer: string; readonly report: Report } | {
      readonly issuer: string
      readonly error: string
    }
  >
  readonly probes: Probes
  readonly invalidToken: string
  readonly withToken: TokenObservations | undefined
  readonly foreign: ReadonlyArray<ForeignObservation>
}

export interface MetadataDocument extends Located {
  readonly place: "challenge" | "path" | "root"
}

/** The responses to requests that a server rejects, and to those of a browser. */
export interface Probes {
  readonly get: Exchange
  readonly delete: Exchange
  readonly batch: Exchange
  readonly invalid: Exchange
  readonly forged: ReadonlyArray<{ readonly name: string; readonly exchange: Exchange }>
  readonly empty: Exchange
  readonly preflight: Exchange
  /** The names that the preflight requested. */
  readonly requestedHeaders: ReadonlyArray<string>
  readonly foreign: Exchange
  readonly metadata: Exchange | undefined
}

/** The responses to requests with a token. `secret` is the token itself: no response may contain it. */
export interface TokenObservations {
  readonly audience: TokenAudience
  /** The first response, in the newest revision that the server accepts. */
  readonly first: Exchange
  readonly list: Exchange
  /** The responses to lists, and to a call of a tool that does not exist. */
  readonly operations: ReadonlyArray<{ readonly name: string; readonly exchange: Exchange }>
  readonly batch: Exchange | undefined
  readonly sessionOnly: Exchange | undefined
  readonly secret: string
}

/** The response to a request with a token for another server. */
export interface ForeignObservation {
  readonly audience: TokenAudience
  readonly exchange: Exchange
}

export const getStatus = (exchange: Exchange): number | undefined =>
  exchange._tag === "Response" ? exchange.status : undefined

/** Finds an exchange without a response, which shows nothing about the server. */
export const findNoResponse = (
  ...exchanges: ReadonlyArray<Exchange>
): Extract<Exchange, { readonly _tag: "NoResponse" }> | undefined =>
  exchanges.find((exchange) => exchange._tag === "NoResponse")

export const isSuccess = (exchange: Exchange): boolean => {
  const status = getStatus(exchange)
  return status !== undefined && status >= 200 && status < 300
}

/** Tells whether a server accepted a request. An error of JSON-RPC can have the status 200. */
export const isAccepted = (exchange: Exchange): boolean =>
  isSuccess(exchange) && getReply(exchange)?.error === undefined

export const describe = (exchange: Exchange): string =>
  exchange._tag === "Response" ? `returns ${exchange.status}` : exchange.detail

/** Tells whether a response is the metadata of a protected resource. */
export const isDocument = (reading: Reading): reading is Extract<Reading, { readonly _tag: "Json" }> =>
  reading._tag === "Json" && text(reading.json, "resource") !== undefined

/** How a server treats requests without a token. */
export type Access =
  /** Every request needs a token. */
  | "protected"
  /** The server serves requests without a token, and rejects invalid tokens. */
  | "partly-public"
  /** The server serves requests without a token, and ignores tokens. */
  | "open"

export const getAccess = ({ openList, probes }: Observations): Access =>
  openList === undefined ? "protected" : getStatus(probes.invalid) === 401 ? "partly-public" : "open"
