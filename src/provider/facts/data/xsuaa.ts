import type { Fact } from "../Fact.ts"

export const xsuaa: Fact = {
  id: "xsuaa",
  name: "SAP XSUAA",
  kind: "service",
  profile: null,
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "",
    typ: "JWT",
    algorithms: ["RS256"],
    issuer: "https://{subdomain}.authentication.{region}.hana.ondemand.com/oauth/token",
    audience: "a list with the application name (xsappname) and client ids",
    scopes: "scope, a list, each with the prefix of the application name",
    clientId: "client_id, cid, azp",
    machineSubject: "the client id (not confirmed)"
  },
  resourceAudience: "no",
  audienceSetup: "not possible: the audience is the application",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "unknown",
  evidence: [{ kind: "code", source: "@sap/xssec 4.13.0, XsuaaToken.js and XsuaaService.js" }, {
    kind: "unconfirmed",
    source: "the claims of ID tokens"
  }],
  quirks: ["Tokens name their key set in the header jku, which this library ignores."],
  documents: []
}
