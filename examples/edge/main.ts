/** Runs `server.ts`. If no authorization server is configured, starts one first. */
if (process.env["AUTHORIZATION_SERVERS"] === undefined) await import("../shared/issuer.ts")
await import("./server.ts")
