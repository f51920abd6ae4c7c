/* The client scenarios of the official conformance suite that the client of this library must pass. */

/** A scenario of which every check must pass. */
export interface Scenario {
  readonly name: string
  /** The revision of MCP at which the scenario runs; `undefined` for the scenarios of extensions. */
  readonly revision: "2026-07-28" | "2025-03-26" | undefined
}

const of = (revision: Scenario["revision"], names: ReadonlyArray<string>): ReadonlyArray<Scenario> =>
  names.map((name) => ({ name, revision }))

/** Every client scenario of revision 2026-07-28, of the extensions for authorization, and the two of 2025-03-26. */
export const scenarios: ReadonlyArray<Scenario> = [
  ...of(undefined, [
    "auth/client-credentials-basic",
    "auth/client-credentials-jwt",
    "auth/dpop",
    "auth/dpop-nonce",
    "auth/enterprise-managed-authorization",
    "auth/wif-jwt-bearer"
  ]),
  ...of("2026-07-28", [
    "auth/metadata-issuer-mismatch",
    "auth/resource-mismatch",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "http-standard-headers",
    "json-schema-2020-12-preservation",
    "json-schema-ref-no-deref",
    "request-metadata",
    "sep-2322-client-request-state",
    "tools_call"
  ]),
  ...of("2026-07-28", [
    "auth/authorization-server-migration",
    "auth/basic-cimd",
    "auth/iss-normalized",
    "auth/iss-not-advertised",
    "auth/iss-supported",
    "auth/iss-supported-missing",
    "auth/iss-unexpected",
    "auth/iss-wrong-issuer",
    "auth/metadata-default",
    "auth/metadata-var1",
    "auth/metadata-var2",
    "auth/metadata-var3",
    "auth/offline-access-not-supported",
    "auth/offline-access-scope",
    "auth/pre-registration",
    "auth/scope-from-scopes-supported",
    "auth/scope-from-www-authenticate",
    "auth/scope-omitted-when-undefined",
    "auth/scope-retry-limit",
    "auth/scope-step-up",
    "auth/token-endpoint-auth-basic",
    "auth/token-endpoint-auth-none",
    "auth/token-endpoint-auth-post"
  ]),
  ...of("2025-03-26", ["auth/2025-03-26-oauth-endpoint-fallback", "auth/2025-03-26-oauth-metadata-backcompat"])
]
