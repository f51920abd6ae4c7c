/** Runs `server.ts`, and before it `issuer.ts` if none is configured, because oidc-provider has no token exchange. */
if (process.env["AUTHORIZATION_SERVERS"] === undefined) await import("../shared/issuer.ts")
await import("./server.ts")
