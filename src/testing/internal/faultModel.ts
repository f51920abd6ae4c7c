import type { Received } from "./respond.ts"

/**
 * A party that receives requests of a client.
 *
 * **Details**
 *
 * - `server`: the MCP server.
 * - `issuer`: its authorization server.
 * - `elsewhere`: a server of an attacker, which is also an authorization server.
 * - `privateNetwork`: an address that only the machine of the client reaches.
 *
 * @category models
 * @since 0.1.0
 */
export type Party = "server" | "issuer" | "elsewhere" | "privateNetwork"

/**
 * A request that one of the servers received.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerRequest extends Received {
  readonly party: Party
}

type Members = Readonly<Record<string, unknown>>

/** The servers, as a fault sees them. */
export interface World {
  readonly resource: string
  /** The origin of the MCP server. */
  readonly server: string
  readonly issuer: string
  readonly elsewhere: string
  readonly privateNetwork: string
  readonly resourceMetadata: () => Members
  /** Tells whether a party received a request for a path since the current fault was set. */
  readonly hasReceived: (party: Party, path: string) => boolean
  readonly countBytes: (count: number) => void
  /** Registers an access token that the MCP server accepts, with the scopes of the latest one. */
  readonly acceptAnother: () => string
  /** Tells whether the client was registered before the current fault was set. */
  readonly isOldClient: (clientId: string) => boolean
  /** Responds as the token endpoint of the issuer. */
  readonly redeem: (request: Received) => Promise<Response>
  /** A number that grows with each call. */
  readonly count: () => number
}

/** A fault, and the functions that cause it. */
export interface FaultDescription {
  readonly number: number
  readonly server: string
  readonly client: string
  /** The challenge of each 401. */
  readonly challenge?: (world: World) => string
  readonly resourceMetadata?: (members: Members, world: World) => Members
  readonly metadata?: (members: Members, world: World) => Members
  /** Responds in place of a server. */
  readonly respond?: (request: ServerRequest, world: World) => Response | Promise<Response> | undefined
  readonly token?: (members: Members) => Members
  readonly registration?: (members: Members) => Members
  /** The status of a successful registration. */
  readonly registrationStatus?: number
  /** Changes the callback of a sign-in. */
  readonly callback?: (url: URL, world: World) => void
  /** The MCP server rejects every token. */
  readonly rejectsTokens?: true
  /** The challenge of a 403 to a call of `add_todo`. */
  readonly stepUp?: (world: World) => string
  /** The issuer and the MCP server require DPoP nonces. */
  readonly nonces?: "constant" | "changing"
}

/** Writes a challenge that names metadata. */
export const challengeOf = (metadataUrl: string): string =>
  `Bearer resource_metadata="${metadataUrl}", scope="todos:read"`
