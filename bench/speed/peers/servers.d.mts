import type { Server } from "node:http"

/** Each gives a server that does not listen yet. */
export const servers: Readonly<Record<string, (issuer: string, resource: string) => Server | Promise<Server>>>
