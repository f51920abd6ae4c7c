/**
 * Reads access tokens from another header than `Authorization`, for servers behind a proxy that signs users in.
 *
 * @since 0.1.0
 */
export * as TokenHeader from "./TokenHeader.ts"
