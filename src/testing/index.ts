/**
 * A kit for the tests of protected servers.
 *
 * @since 0.1.0
 */
export * as DpopClient from "./DpopClient.ts"
export * as Expect from "./Expect.ts"
export { expectAdmitted, expectChallenge, expectRejected } from "./Expect.ts"
export * as FaultProxy from "./FaultProxy.ts"
export * as Forgery from "./Forgery.ts"
export * as MisbehavingServers from "./MisbehavingServers.ts"
export * as RecordStoreContract from "./RecordStoreContract.ts"
export * as SigningKey from "./SigningKey.ts"
export * as TestBrowser from "./TestBrowser.ts"
export * as TestClient from "./TestClient.ts"
export * as TestIssuer from "./TestIssuer.ts"
export * as TestUpstream from "./TestUpstream.ts"
export * as TokenShape from "./TokenShape.ts"
