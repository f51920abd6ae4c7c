/**
 * Exchanges the token of a caller for a token that another API accepts.
 *
 * @since 0.1.0
 */
export * as TokenExchange from "./TokenExchange.ts"
