/**
 * Builds adapters for other hosts: the gate, the host that runs it, its rejections, and the guard for addresses that another
 * party names.
 *
 * @since 0.1.0
 */
export * as ProtectedResource from "../../../authorization/ProtectedResource.ts"
export * as Rejection from "../../../authorization/Rejection.ts"
export * as ScopeHierarchy from "../../../authorization/ScopeHierarchy.ts"
export * as Sessions from "../../../authorization/Sessions.ts"
export * as AddressGuard from "../../../outbound/AddressGuard.ts"
export * as Gate from "./Gate.ts"
export * as Host from "./Host.ts"
export * as NodeRequest from "./NodeRequest.ts"
export * as WebRequest from "./WebRequest.ts"
