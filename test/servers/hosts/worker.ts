/** The fetch wrapper in a Worker, as one writes it. Bundled by its host, and run where there is nothing of Node. */
import { Effect } from "effect"
import { Revocations } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import type { Options } from "./Host.ts"
import * as TodoServer from "./TodoServer.ts"

/** Put in by the bundler. */
declare const OPTIONS: Options

let lines: Array<string> = []
const ran = (line: string) => {
  lines.push(line)
}

const entries = new Map<string, object>()
const revocations = Revocations.make({
  getMany: (keys) => Effect.sync(() => keys.map((key) => entries.get(key)) as never),
  set: (key, value) => Effect.sync(() => void entries.set(key, value))
})

const auth = await McpAuthFetch.make("revocation" in OPTIONS ? { ...OPTIONS, revocation: revocations } : OPTIONS)

const mcp = auth.protect(
  (request, { body, principal }, _env: unknown) =>
    TodoServer.toResponse(TodoServer.answer(request.method, body, principal?.subject, ran)),
  { policy: TodoServer.requirementOf, metadata: true }
)

export default {
  fetch: async (request: Request, env: unknown): Promise<Response> => {
    if (new URL(request.url).pathname === "/revoke") {
      await Effect.runPromise(revocations.revoke(await request.json() as Revocations.Target))
      return new Response()
    }
    if (new URL(request.url).pathname !== "/ran") return mcp(request, env)
    const taken = lines
    lines = []
    return Response.json(taken)
  }
}
