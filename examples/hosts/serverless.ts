import serverless from "serverless-http"
import { makeApp } from "./express.ts"
import type { Notes } from "./NotesV1.ts"

/** Returns the handler of an existing Express application. */
export const makeHandler = (notes: Notes) =>
  serverless(makeApp(notes) as Parameters<typeof serverless>[0], {
    // The transport of the SDK reads the raw header lines, which a function does not receive. The gate does not need them.
    request: (req: { headers: Record<string, string>; rawHeaders: Array<string> }) => {
      req.rawHeaders = Object.entries(req.headers).flatMap(([name, value]) => [name, String(value)])
    }
  })
