import { bodyParser } from "@koa/bodyparser"
import Koa from "koa"
import type { Notes } from "./NotesV1.ts"

/** Runs middleware of Node. If it answers the request, Koa sends nothing. */
const fromNode = (middleware: Notes["guard"]): Koa.Middleware => async (ctx, next) => {
  let isAdmitted = false
  await middleware(ctx.req, ctx.res, () => {
    isAdmitted = true
  })
  if (isAdmitted) await next()
  else ctx.respond = false
}

export const makeApp = ({ answer, guard, metadata }: Notes) => {
  const app = new Koa()
  app.use(fromNode(metadata))
  app.use(async (ctx, next) => {
    if (ctx.path !== "/mcp") return next()
    return fromNode(guard)(ctx, async () => {
      ctx.respond = false
      await answer(ctx.req, ctx.res)
    })
  })
  // Parsers of other routes follow the gate.
  app.use(bodyParser())
  return app
}
