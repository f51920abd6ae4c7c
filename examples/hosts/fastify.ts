import Fastify from "fastify"
import type { Notes } from "./NotesV1.ts"

export const makeApp = ({ answer, guard, metadata }: Notes) => {
  const app = Fastify()
  app.addHook("onRequest", (request, reply, done) => {
    metadata(request.raw, reply.raw, done as () => void).catch(done)
  })
  app.route({
    method: ["GET", "POST", "DELETE", "OPTIONS"],
    url: "/mcp",
    onRequest: (request, reply, done) => {
      guard(request.raw, reply.raw, done as () => void).catch(done)
    },
    handler: async (request, reply) => {
      reply.hijack()
      await answer(request.raw, reply.raw)
    }
  })
  return app
}
