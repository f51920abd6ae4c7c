/**
 * Puts an authorization server of MCP in front of an identity provider that does not speak MCP. This entry point is experimental until
 * people outside the project have reviewed it.
 *
 * @since 0.1.0
 */
export * as Admit from "./Admit.ts"
export { GrantAdministration } from "./grants/GrantAdministration.ts"
export type { GrantEvent, OnGrantEvent } from "./grants/GrantEvent.ts"
export type { GrantOptions } from "./grants/GrantOptions.ts"
export type { GrantView, Person } from "./grants/Grants.ts"
export * as OAuthProxy from "./OAuthProxy.ts"
export * as Upstream from "./upstream/Upstream.ts"
export { UpstreamAccess } from "./upstream/UpstreamAccess.ts"
export { AdmissionRejected, UpstreamFailure } from "./upstream/UpstreamFailure.ts"
export type { UpstreamToken } from "./upstream/UpstreamLeg.ts"
