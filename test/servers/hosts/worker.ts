/** The fetch wrapper in a Worker, as one writes it. Bundled by its host, and run where there is nothing of Node. */
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import type { Options } from "./Host.ts"
import * as TodoServer from "./TodoServer.ts"

/** Put in by the bundler. */
declare const OPTIONS: Options

let lines: Array<string> = []
const ran = (line: string) => {
  lines.push(line)
}

const auth = await McpAuthFetch.make(OPTIONS)

const mcp = auth.protect(
  (request, { body, principal }, _env: unknown) =>
    TodoServer.toResponse(TodoServer.answer(request.method, body, principal?.subject, ran)),
  { policy: TodoServer.requirementOf, metadata: true }
)

export default {
  fetch: (request: Request, env: unknown): Response | Promise<Response> => {
    if (new URL(request.url).pathname !== "/ran") return mcp(request, env)
    const taken = lines
    lines = []
    return Response.json(taken)
  }
}
