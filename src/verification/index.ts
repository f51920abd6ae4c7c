/**
 * Composes token verifiers from Effect services: discovery, keys, signatures and caches. `AuthLayer` consists of the same
 * parts.
 *
 * @since 0.1.0
 */
export * as Algorithm from "../crypto/Algorithm.ts"
export * as Signature from "../crypto/Signature.ts"
export * as Discovery from "../outbound/Discovery.ts"
export * as Fetcher from "../outbound/Fetcher.ts"
export * as Freshness from "../outbound/Freshness.ts"
export * as IntrospectionVerifier from "./introspection/IntrospectionVerifier.ts"
export * as AuthorizationServer from "./issuers/AuthorizationServer.ts"
export * as JwkSet from "./keys/JwkSet.ts"
export * as IssuerVerifier from "./tokens/IssuerVerifier.ts"
export * as JwtVerifier from "./tokens/JwtVerifier.ts"
export * as TokenCache from "./tokens/TokenCache.ts"
export * as TokenVerifier from "./TokenVerifier.ts"
