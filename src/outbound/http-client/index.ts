/**
 * Exports the modules that use the `HttpClient` of Effect.
 *
 * @since 0.1.0
 */
export * as GuardedHttpClient from "./GuardedHttpClient.ts"
export * as HttpClientFetcher from "./HttpClientFetcher.ts"
