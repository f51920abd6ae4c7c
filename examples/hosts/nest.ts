import type { INestApplication } from "@nestjs/common"
import type { Notes } from "./NotesV1.ts"

/** Call it in `main.ts`, before `app.listen`. It works with the adapters of Express and of Fastify. */
export const useNotes = (app: INestApplication, { answer, guard, metadata }: Notes) => {
  app.use(metadata)
  app.use("/mcp", guard)
  app.use("/mcp", answer)
}
