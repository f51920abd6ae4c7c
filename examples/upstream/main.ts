/** The same, with an authorization server if none is configured. oidc-provider has no token exchange. */
if (process.env["AUTHORIZATION_SERVERS"] === undefined) await import("../shared/issuer.ts")
await import("./server.ts")
