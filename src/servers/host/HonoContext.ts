import * as headerLines from "../../protocol/HeaderLines.ts"
import * as corsHeaders from "./CorsHeaders.ts"

/* Requests of Hono. The context of a request also contains the response headers that middleware has set. */

/**
 * The context that Hono passes to handlers, as far as the gate uses it.
 *
 * @category models
 * @since 0.1.0
 */
export interface HonoContext {
  readonly req: {
    readonly raw: Request
    /** Returns the text of the body, also if middleware has read the body through the context. */
    readonly text?: (() => Promise<string>) | undefined
  }
  readonly res: Response
}

/** A request, and its context if the handler received one. */
export interface Opened {
  readonly request: Request
  readonly context: HonoContext | undefined
}

/** Returns the request that a context contains. Returns other values as they are. */
export const open = (given: Request | HonoContext): Opened => {
  const raw = (Object(given) as Partial<HonoContext>).req?.raw
  return raw === undefined
    ? { request: given as Request, context: undefined }
    : { request: raw, context: given as HonoContext }
}

/**
 * Returns the body that middleware has read through a context, which caches it. Returns `undefined` if other code has read the stream
 * of the request.
 */
export const cachedBody = async ({ req }: HonoContext): Promise<string | undefined> => {
  try {
    return await req.text?.()
  } catch {
    return undefined
  }
}

/**
 * Merges the CORS headers of a rejection with those that `cors` of Hono has set. Hono then overwrites the headers of the rejection
 * with the merged ones, because it copies the headers of the context to the response of a handler.
 */
export const mergeCors = (context: HonoContext, { headers }: Response): void => {
  const allowed = headers.get(corsHeaders.allowOrigin)
  if (allowed === null) return
  const before = context.res.headers
  if (before.get(corsHeaders.allowOrigin) !== allowed) {
    // The middleware sets this header for all origins, and this is not one of those that it allows itself.
    before.delete(corsHeaders.allowCredentials)
    before.set(corsHeaders.allowOrigin, allowed)
  }
  for (const name of corsHeaders.lists) {
    const [set, value] = [before.get(name), headers.get(name)]
    if (set !== null && value !== null) before.set(name, headerLines.addMembers(set, value))
  }
}
