/**
 * A kit for the tests of protected servers.
 *
 * @since 0.1.0
 */
export * as TestIssuer from "./testing/TestIssuer.ts"
