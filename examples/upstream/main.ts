/**
 * Runs `server.ts`. If no authorization server is configured, starts `../shared/issuer.ts` first. It supports token exchange,
 * which `oidc-provider` does not.
 */
if (process.env["AUTHORIZATION_SERVERS"] === undefined) await import("../shared/issuer.ts")
await import("./server.ts")
