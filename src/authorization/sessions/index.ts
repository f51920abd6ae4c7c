/**
 * Shares sessions between the instances of a server.
 *
 * @since 0.1.0
 */
export * as SessionStore from "./SessionStore.ts"
