/** Runs `server.ts`, and before it an authorization server if none is configured. */
if (process.env["AUTHORIZATION_SERVERS"] === undefined) await import("../shared/issuer.ts")
await import("./server.ts")
