/** `baseline` is asked for at sign-in, `stepUp` when a tool needs it. Leave one out and the server does not compile. */
export const scopes = {
  baseline: ["create:todos", "read:todos"],
  stepUp: ["delete:todos"]
} as const

/** Every scope that an authorization server has to know of. */
export const allScopes: ReadonlyArray<string> = [...scopes.baseline, ...scopes.stepUp]
