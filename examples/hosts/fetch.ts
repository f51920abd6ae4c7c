import type { Notes } from "./NotesV2.ts"

/** Returns the function that `Bun.serve`, `Deno.serve` and the `fetch` of a Worker call. */
export const makeFetch = ({ mcp, metadata }: Notes) => async (request: Request): Promise<Response> =>
  await metadata(request) ?? await mcp(request)
