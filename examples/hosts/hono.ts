import { Hono } from "hono"
import type { Notes } from "./NotesV2.ts"

export const makeApp = ({ mcp, metadata }: Notes) => {
  const app = new Hono()
  app.use(async (c, next) => await metadata(c.req.raw) ?? await next())
  app.all("/mcp", (c) => mcp(c))
  return app
}
