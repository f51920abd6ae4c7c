/**
 * The public URLs of a server: behind a reverse proxy that changes the path, under several host names, and with http in a closed
 * network.
 *
 * @since 0.1.0
 */
export * as PublicUrl from "./PublicUrl.ts"
