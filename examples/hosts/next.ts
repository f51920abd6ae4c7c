import type { Notes } from "./NotesV2.ts"

/** The handlers of `app/mcp/route.ts`. */
export const mcpRoute = ({ mcp }: Notes) => {
  const handler = (request: Request) => mcp(request)
  return { GET: handler, POST: handler, DELETE: handler, OPTIONS: handler }
}

/** The handlers of `app/.well-known/oauth-protected-resource/[[...path]]/route.ts`. */
export const metadataRoute = ({ metadata }: Notes) => {
  const handler = async (request: Request) => await metadata(request) ?? new Response(null, { status: 404 })
  return { GET: handler, OPTIONS: handler }
}
