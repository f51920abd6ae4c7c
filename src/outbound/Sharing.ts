import * as Context from "effect/Context"

/**
 * Whether a request may wait for what another one has started.
 *
 * In a Worker it may not: what a request has started ends with it, and who waits for another's work is taken for hung
 * (https://developers.cloudflare.com/workers/observability/errors/). There each request fetches for itself; what was
 * fetched serves all.
 */
export const Sharing: Context.Reference<boolean> = Context.Reference<boolean>(
  "effect-mcp-auth/verification/Sharing",
  // How the runtime asks to be recognised. Not every runtime has a navigator.
  {
    defaultValue: () =>
      (globalThis as { readonly navigator?: { readonly userAgent?: unknown } }).navigator?.userAgent !==
        "Cloudflare-Workers"
  }
)
