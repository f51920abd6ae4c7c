/** Clients request `baseline` at sign-in, and `stepUp` when a tool requires it. If a scope is missing, this does not compile. */
export const scopes = {
  baseline: ["create:todos", "read:todos"],
  stepUp: ["delete:todos"]
} as const

/** All scopes. An authorization server must offer them. */
export const allScopes: ReadonlyArray<string> = [...scopes.baseline, ...scopes.stepUp]
