/**
 * A kit for the tests of protected servers.
 *
 * @since 0.1.0
 */
export * as DpopClient from "./testing/DpopClient.ts"
export * as Expect from "./testing/Expect.ts"
export { expectAdmitted, expectChallenge, expectRefused } from "./testing/Expect.ts"
export * as FaultProxy from "./testing/FaultProxy.ts"
export * as Forgery from "./testing/Forgery.ts"
export * as SigningKey from "./testing/SigningKey.ts"
export * as TestClient from "./testing/TestClient.ts"
export * as TestIssuer from "./testing/TestIssuer.ts"
export * as TokenShape from "./testing/TokenShape.ts"
