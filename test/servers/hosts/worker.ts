/** The fetch wrapper in a Worker. Bundled by the host of `workerd.ts`, and run where there is nothing of Node. */
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import type { Options } from "./Host.ts"
import * as TodoServer from "./TodoServer.ts"

interface Env {
  readonly OPTIONS: Options
}

let lines: Array<string> = []
const ran = (line: string) => {
  lines.push(line)
}

const make = async (options: Options) => {
  const auth = await McpAuthFetch.make(options)
  return auth.protect(
    (request, { body, principal }, _env: Env) =>
      TodoServer.toResponse(TodoServer.answer(request.method, body, principal?.subject, ran)),
    { policy: TodoServer.requirementOf, metadata: true }
  )
}

let handler: ReturnType<typeof make> | undefined

export default {
  fetch: async (request: Request, env: Env): Promise<Response> => {
    if (new URL(request.url).pathname === "/ran") {
      const taken = lines
      lines = []
      return Response.json(taken)
    }
    const handle = await (handler ??= make(env.OPTIONS))
    return handle(request, env)
  }
}
