/**
 * Acts as an OAuth client: exchanges the token of a caller for one that another API accepts.
 *
 * @since 0.1.0
 */
export * as ClientAuthentication from "../outbound/ClientAuthentication.ts"
export * as TokenExchange from "./TokenExchange.ts"
