/**
 * Clients request the scopes in `baseline` at sign-in, and a scope in `stepUp` when a tool requires it. A server with a tool
 * that requires any other scope does not compile.
 */
export const scopes = {
  baseline: ["create:todos", "read:todos"],
  stepUp: ["delete:todos"]
} as const
