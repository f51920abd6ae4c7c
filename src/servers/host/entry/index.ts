/**
 * Exports the modules for server adapters of other platforms: the gate, the `Host` that runs it, its requests and rejections,
 * and the guard for URLs that another party supplies.
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
