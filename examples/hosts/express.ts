import express from "express"
import type { Notes } from "./NotesV1.ts"

export const makeApp = ({ answer, guard, metadata }: Notes, framework = express) => {
  const app = framework()
  app.use(metadata)
  app.all("/mcp", guard, answer)
  return app
}
