import { handle } from "hono/aws-lambda"
import { makeApp } from "./hono.ts"
import type { Notes } from "./NotesV2.ts"

/** Returns the handler of a function URL, of API Gateway or of an Application Load Balancer. */
export const makeHandler = (notes: Notes) => handle(makeApp(notes))
