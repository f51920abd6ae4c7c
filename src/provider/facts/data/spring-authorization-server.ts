import type { Fact } from "../Fact.ts"

export const springAuthorizationServer: Fact = {
  id: "spring-authorization-server",
  name: "Spring Authorization Server",
  kind: "library",
  profile: "springAuthorizationServer",
  asOf: "2026-11",
  tokens: {
    format: "both",
    note: "JWTs by default; opaque with the token format REFERENCE",
    typ: null,
    algorithms: ["RS256"],
    issuer: "exact",
    audience: "the client id, unless a token customizer changes it",
    scopes: "scope, a list",
    clientId: "aud",
    machineSubject: "the client id"
  },
  resourceAudience: "yes",
  audienceSetup: "write the resource into aud with an OAuth2TokenCustomizer",
  resourceIndicators: "no",
  dynamicRegistration: "guarded",
  clientIdMetadataDocuments: "unknown",
  introspection: "yes",
  evidence: [{ kind: "code", source: "spring-projects/spring-authorization-server, JwtGenerator.java" }, {
    kind: "code",
    source: "the published claims of one token, samzhu/getting-started-spring-authorization-server (2021-10)"
  }],
  quirks: ["Access tokens have nbf. ID tokens have azp and no nbf.", "A token without scopes has no claim scope."],
  documents: []
}
