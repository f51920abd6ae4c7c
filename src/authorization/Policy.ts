/**
 * Policies of tools and effects: what they require of their callers. `requireScopes` and `requirePolicy` apply a policy, and the
 * types of the tools and effects contain what it requires, so the compiler checks that the configuration offers it.
 *
 * @since 0.1.0
 */
export * from "./policy/Policy.ts"
export { RequiredPolicy } from "./RequiredPolicy.ts"
export {
  type CheckService,
  type CheckServicesOf,
  type Fits,
  type Protected,
  type RequirementsOf,
  requirePolicy
} from "./RequirePolicy.ts"
export {
  Authenticated,
  ofAnyCall,
  ofCall,
  type RegisterWithMcpAuthToolkit,
  registerWithMcpAuthToolkit,
  type RequiredScope,
  requiredScope,
  type RequiredScopesOf,
  requireScopes,
  requireScopesOf,
  type Scoped,
  type ScopeList,
  Unauthorized
} from "./RequireScopes.ts"
export { type Conditional, ConditionalScopes, RequiredScopes } from "./ScopeAnnotations.ts"
