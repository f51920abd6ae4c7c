import type { Fact } from "../facts/Facts.ts"
import { type Json, shown, strings, text } from "../report/Json.ts"
import { fail, inconclusive, pass, type RuleResult, skip } from "../report/Rule.ts"
import * as AccessTokenRules from "./AccessTokenRules.ts"
import { checkKeySet } from "./CheckKeys.ts"
import { checkMembers, type MetadataDocument, type Observations } from "./Observations.ts"

/**
 * Checks how tokens can be verified, which audiences they have, and whether clients can get refresh tokens and key-bound
 * tokens.
 */
export const checkAccessTokens = (
  document: MetadataDocument,
  { keySet, provider }: Observations
): ReadonlyArray<RuleResult> => {
  const { metadata } = document
  const jwksUri = text(metadata, "jwks_uri")
  const introspection = text(metadata, "introspection_endpoint")
  const scopes = strings(metadata, "scopes_supported")
  const dpop = strings(metadata, "dpop_signing_alg_values_supported")
  return [
    checkMembers(
      document,
      ["jwks_uri", "introspection_endpoint"],
      AccessTokenRules.verifiable,
      () => checkVerifiable(metadata, provider)
    ),
    ...(keySet !== undefined
      ? checkKeySet(keySet)
      : [skip(AccessTokenRules.keySet, jwksUri === undefined ? "jwks_uri is missing" : "the key set was not fetched")]),
    checkMembers(document, ["introspection_endpoint"], AccessTokenRules.introspection, () =>
      introspection === undefined
        ? fail(AccessTokenRules.introspection, "introspection_endpoint is missing")
        : pass(AccessTokenRules.introspection, shown(introspection))),
    checkResource(provider),
    ...checkAudience(provider),
    checkMembers(document, ["scopes_supported"], AccessTokenRules.scopes, () =>
      scopes === undefined
        ? fail(AccessTokenRules.scopes, "scopes_supported is missing")
        : pass(AccessTokenRules.scopes, shown(scopes.join(" ")))),
    checkMembers(
      document,
      ["scopes_supported", "grant_types_supported"],
      AccessTokenRules.refresh,
      () => checkRefresh(scopes, strings(metadata, "grant_types_supported"))
    ),
    checkMembers(document, ["dpop_signing_alg_values_supported"], AccessTokenRules.dpop, () =>
      dpop === undefined
        ? fail(AccessTokenRules.dpop, "dpop_signing_alg_values_supported is missing")
        : pass(AccessTokenRules.dpop, dpop.join(", ")))
  ]
}

/**
 * Checks whether a resource server can verify access tokens. Keys in the metadata do not prove it: an OpenID Provider publishes
 * keys for its ID tokens, and its access tokens can be opaque.
 */
const checkVerifiable = (metadata: Json, provider: Fact | undefined): RuleResult => {
  const rule = AccessTokenRules.verifiable
  const jwksUri = text(metadata, "jwks_uri")
  const hasIntrospection = text(metadata, "introspection_endpoint") !== undefined
  const byIntrospection = "through introspection, for which your server needs credentials"
  if (provider?.tokens.format === "opaque" && provider.kind !== "mcp-server") {
    if (hasIntrospection) return pass(rule, `${byIntrospection}: tokens of ${provider.name} are opaque`)
    return provider.profile === null
      ? fail(rule, `${provider.name} issues opaque tokens, and its metadata name no introspection_endpoint`)
      : pass(rule, `its tokens are opaque: Profiles.${provider.profile} verifies each of them at ${provider.name}`)
  }
  if (jwksUri === undefined) {
    return hasIntrospection
      ? pass(rule, "through introspection only, for which your server needs credentials: jwks_uri is missing")
      : fail(rule, "jwks_uri and introspection_endpoint are missing: only the server itself can verify its tokens")
  }
  const keys = `the keys at ${shown(jwksUri)}`
  if (provider?.tokens.format === "jwt") return pass(rule, `with ${keys}`)
  if (provider?.tokens.format === "both") {
    return pass(rule, `JWTs with ${keys}. ${provider.name}: ${provider.tokens.note}`)
  }
  if (!signsIdTokens(metadata)) return pass(rule, `with ${keys}`)
  return hasIntrospection
    ? pass(rule, `${byIntrospection}, or with ${keys} if access tokens are JWTs`)
    : inconclusive(
      rule,
      `${keys} verify ID tokens. Metadata do not show whether access tokens are JWTs: sign in once, and check the token with ` +
        "check --token"
    )
}

/** Tells whether the metadata are those of an OpenID Provider, which must publish keys for its ID tokens (OpenID Connect Discovery §3). */
const signsIdTokens = (metadata: Json): boolean =>
  strings(metadata, "id_token_signing_alg_values_supported") !== undefined

const checkRefresh = (
  scopes: ReadonlyArray<string> | undefined,
  grants: ReadonlyArray<string> | undefined
): RuleResult => {
  const rule = AccessTokenRules.refresh
  if (scopes?.includes("offline_access") === true) return pass(rule, "scopes_supported contains offline_access")
  return grants?.includes("refresh_token") === true
    ? pass(rule, "grant_types_supported contains refresh_token; scopes_supported lacks offline_access")
    : fail(rule, "scopes_supported lacks offline_access, and grant_types_supported lacks refresh_token")
}

const checkResource = (provider: Fact | undefined): RuleResult => {
  const rule = AccessTokenRules.resourceIndicators
  if (provider === undefined) {
    return inconclusive(rule, "metadata do not show it: sign in once, and check the token with check --token")
  }
  const known = `${provider.name}, as of ${provider.asOf}`
  switch (provider.resourceIndicators) {
    case "yes":
      return pass(rule, `${known}: ${provider.audienceSetup}`)
    case "no":
      return fail(rule, `${known}: the parameter resource has no effect`, provider.audienceSetup)
    case "unknown":
      return inconclusive(rule, `${known}: ${provider.audienceSetup}`)
    default:
      return inconclusive(rule, `${known}, after configuration: ${provider.audienceSetup}`)
  }
}

/** Checks how a known provider sets the audience. Metadata do not show the audience. */
const checkAudience = (provider: Fact | undefined): ReadonlyArray<RuleResult> => {
  if (provider === undefined || provider.kind === "mcp-server" || provider.resourceAudience === "unknown") return []
  const known = `${provider.name}, as of ${provider.asOf}: ${provider.audienceSetup}`
  return [
    provider.resourceAudience === "yes"
      ? pass(AccessTokenRules.audience, known)
      : provider.profile === null
      ? fail(AccessTokenRules.audience, known)
      : pass(
        AccessTokenRules.audience,
        `${known}; Profiles.${provider.profile} accepts tokens of the clients that you list`
      )
  ]
}
