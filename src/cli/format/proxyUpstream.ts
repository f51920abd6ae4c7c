/**
 * Derives from the facts about a provider which function of `Upstream` describes it for the OAuth proxy.
 *
 * @since 0.1.0
 */
import type { Fact } from "../../provider/facts/Facts.ts"

/** The providers with a preset, by the ids of their facts. */
const presets: Readonly<Record<string, string>> = {
  entra: "Upstream.entra",
  github: "Upstream.github",
  google: "Upstream.google"
}

/**
 * Returns the function of `Upstream` for a provider, or the reason why there is none.
 *
 * **Details**
 *
 * - An MCP server that is its own authorization server returns `no: own server only`.
 * - A provider with a `signInFault` returns `no` and the fault, because the proxy signs in as other clients do.
 * - A provider without a preset needs an observed OpenID document that names a key set. Only such a document shows that
 *   `Upstream.oidc` can find its endpoints and keys.
 * - If the provider is known to serve no OpenID document, the result is `Upstream.oauth2`, which needs a user endpoint.
 * - Otherwise the result is `unknown`.
 *
 * @category getters
 * @since 0.1.0
 */
export const getProxyUpstream = (fact: Fact): string => {
  if (fact.kind === "mcp-server") return "no: own server only"
  if (fact.signInFault !== undefined) return `no: ${fact.signInFault}`
  const preset = presets[fact.id]
  if (preset !== undefined) return `\`${preset}\``
  if (fact.documents.some(({ jwksUri, kind }) => kind === "openid-configuration" && jwksUri)) return "`Upstream.oidc`"
  return fact.absent?.includes("openid-configuration") === true ? "`Upstream.oauth2`" : "unknown"
}
