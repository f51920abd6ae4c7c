import * as Context from "effect/Context"

/**
 * Configures whether a request may wait for work that another request has started.
 *
 * In a Cloudflare Worker it may not: the work of a request ends with that request, and a request that waits for the work of
 * another one is treated as hung (https://developers.cloudflare.com/workers/observability/errors/). There, each request fetches
 * separately, and later requests use the cached results.
 */
export const Sharing: Context.Reference<boolean> = Context.Reference<boolean>(
  "effect-mcp-auth/verification/Sharing",
  // Cloudflare documents this check for Workers. Some runtimes have no `navigator`.
  {
    defaultValue: () =>
      (globalThis as { readonly navigator?: { readonly userAgent?: unknown } }).navigator?.userAgent !==
        "Cloudflare-Workers"
  }
)
