/**
 * Exports the modules that use the `HttpClient` of Effect.
 *
 * @since 0.1.0
 */
export * as GuardedHttpClient from "../../outbound/http-client/GuardedHttpClient.ts"
export * as HttpClientFetcher from "../../outbound/http-client/HttpClientFetcher.ts"
export * as AuthorizedHttpClient from "./AuthorizedHttpClient.ts"
export * as ExchangedToken from "./ExchangedToken.ts"
