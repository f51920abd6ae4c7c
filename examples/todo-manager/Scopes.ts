/** Clients request `baseline` at sign-in, and `stepUp` when a tool requires it. Without them, the server does not compile. */
export const scopes = {
  baseline: ["create:todos", "read:todos"],
  stepUp: ["delete:todos"]
} as const

/** All scopes. An authorization server must offer them. */
export const allScopes: ReadonlyArray<string> = [...scopes.baseline, ...scopes.stepUp]
