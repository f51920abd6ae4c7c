import type { Fact } from "../Fact.ts"

export const googleIap: Fact = {
  id: "google-iap",
  name: "Google Identity-Aware Proxy",
  kind: "service",
  profile: "googleIap",
  asOf: "2026-11",
  tokens: {
    format: "jwt",
    note: "added by the proxy to each request, in the header X-Goog-Iap-Jwt-Assertion",
    typ: null,
    algorithms: ["ES256"],
    issuer: "https://cloud.google.com/iap",
    audience: "the backend service or the App Engine application",
    scopes: "none",
    clientId: null,
    machineSubject: "accounts.google.com: and the id of the service account"
  },
  resourceAudience: "yes",
  audienceSetup: "accept the audience that the console shows for the signed header",
  resourceIndicators: "no",
  dynamicRegistration: "no",
  clientIdMetadataDocuments: "no",
  introspection: "no",
  evidence: [{ kind: "documentation", source: "cloud.google.com/iap/docs/signed-headers-howto" }],
  quirks: [
    "It is not an authorization server: clients sign in to the proxy with a Google ID token in Authorization or Proxy-Authorization.",
    "The keys are served by another host, www.gstatic.com."
  ],
  documents: []
}
