import type { Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { type Claims, now, resource } from "./harness.ts"

interface Caller {
  readonly subject: string | undefined
  readonly clientId: string | undefined
  readonly scopes: ReadonlyArray<string>
}

interface Token {
  /** Merged over the header and the claims of the row; `undefined` removes a member. */
  readonly header?: Claims
  readonly claims?: Claims
}

/** What an access token of a provider looks like, what the profile makes of it, and what it must not take for one. */
export interface Row {
  readonly row: string
  readonly profile: Profile.Profile
  readonly algorithm?: TestIssuer.Options["algorithm"]
  readonly keys?: (jwk: Claims) => ReadonlyArray<unknown>
  readonly header?: Claims
  readonly claims: Claims
  readonly admits: Caller
  readonly alsoAdmits?: Readonly<Record<string, Token & { readonly admits?: Partial<Caller> }>>
  readonly refuses: Readonly<Record<string, Token & { readonly reason: string }>>
}

const times = { iat: now, exp: now + 300 }
const both = "todos:read todos:write"
const tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
const otherTenant = "82229342-1101-4ab6-817b-70c0747630f3"
const application = "2c3caa80-93f9-425e-8b85-0745f50c0d24"
const client = "e4590ed6-62b3-5102-beff-bad2292ab01c"

/** A token for another server of the same provider, and one that says nothing about whom it is for. */
const addressed = (elsewhere: unknown): Row["refuses"] => ({
  "a token for someone else (T-CLAIM-07)": { claims: { aud: elsewhere }, reason: "audience" },
  "a token for nobody in particular (JWT-25)": { claims: { aud: undefined }, reason: "audience" }
})

const entraKeys: Row["keys"] = ({ alg: _, ...jwk }) => [{
  ...jwk,
  issuer: "https://login.microsoftonline.com/{tenantid}/v2.0"
}]

const auth0: Row = {
  row: "Auth0",
  profile: Profiles.auth0({ domain: "acme.eu.auth0.com" }),
  header: { typ: "JWT" },
  claims: {
    ...times,
    iss: "https://acme.eu.auth0.com/",
    sub: "auth0|alice",
    aud: [resource, "https://acme.eu.auth0.com/userinfo"],
    azp: "client-1",
    scope: both
  },
  admits: { subject: "auth0|alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "the profile of RFC 9068": { header: { typ: "at+jwt" }, claims: { azp: undefined, client_id: "client-1" } },
    "a program's own token, without a scope": {
      claims: {
        sub: "client-1@clients",
        aud: resource,
        scope: undefined,
        gty: "client-credentials"
      },
      admits: { subject: "client-1@clients", scopes: [] }
    }
  },
  refuses: {
    ...addressed("https://other.example.com"),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", scope: undefined, azp: undefined, nonce: "n", email: "alice@example.com" },
      reason: "id-token"
    },
    "an ID token for the resource": {
      claims: { aud: resource, scope: undefined, azp: undefined },
      reason: "token-type"
    },
    "the issuer without its slash": { claims: { iss: "https://acme.eu.auth0.com" }, reason: "unknown-issuer" }
  }
}

const okta: Row = {
  row: "Okta custom AS",
  profile: Profiles.okta({ domain: "acme.okta.com", server: "todos" }),
  claims: {
    ...times,
    ver: 1,
    jti: "AT.example",
    iss: "https://acme.okta.com/oauth2/todos",
    aud: resource,
    cid: "client-1",
    uid: "00u1",
    scp: ["todos:read", "todos:write"],
    sub: "alice@example.com"
  },
  admits: { subject: "alice@example.com", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a program's own token": { claims: { uid: undefined, sub: "client-1" }, admits: { subject: "client-1" } }
  },
  refuses: {
    ...addressed("api://default"),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", cid: undefined, uid: undefined, scp: undefined, amr: ["pwd"], at_hash: "h" },
      reason: "id-token"
    },
    "an ID token for the resource": {
      claims: { cid: undefined, uid: undefined, scp: undefined, amr: ["pwd"] },
      reason: "token-type"
    },
    "a token of the organization's own server": { claims: { iss: "https://acme.okta.com" }, reason: "unknown-issuer" },
    "scopes that are no strings": { claims: { scp: ["todos:read", 1] }, reason: "scope" }
  }
}

const entraClaims: Claims = {
  ...times,
  nbf: now,
  iss: `https://login.microsoftonline.com/${tenant}/v2.0`,
  aud: application,
  tid: tenant,
  oid: "6467882c-fdfd-4354-a1ed-4e13f064be25",
  sub: "pairwise-alice",
  azp: client,
  azpacr: "0",
  scp: both,
  ver: "2.0"
}

const entraRefuses: Row["refuses"] = {
  ...addressed("00000003-0000-0000-c000-000000000000"),
  "an ID token for the same application (T-CLAIM-05)": {
    claims: { azp: undefined, azpacr: undefined, scp: undefined, roles: ["todos:read"], nonce: "n" },
    reason: "id-token"
  },
  "an ID token with roles and without a nonce": {
    claims: { azp: undefined, azpacr: undefined, scp: undefined, roles: ["todos:read"] },
    reason: "token-type"
  },
  "a token of another tenant": {
    claims: { iss: `https://login.microsoftonline.com/${otherTenant}/v2.0`, tid: otherTenant },
    reason: "unknown-issuer"
  },
  "a tid that is not the tenant of iss": { claims: { tid: otherTenant }, reason: "tenant" },
  "a token without tid": { claims: { tid: undefined }, reason: "tenant" },
  "the template as issuer": {
    claims: { iss: "https://login.microsoftonline.com/{tenantid}/v2.0" },
    reason: "unknown-issuer"
  }
}

const entra: Row = {
  row: "Entra ID v2",
  profile: Profiles.entra({ tenant, applicationId: application }),
  keys: entraKeys,
  header: { typ: "JWT", x5t: "thumbprint" },
  claims: entraClaims,
  admits: { subject: "pairwise-alice", clientId: client, scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token of version 1 under a document of version 2": {
      claims: {
        iss: `https://sts.windows.net/${tenant}/`,
        aud: `api://${application}`,
        ver: "1.0",
        azp: undefined,
        azpacr: undefined,
        appid: client,
        appidacr: "1"
      }
    },
    "a program's own token, with its permissions in roles": {
      claims: { scp: undefined, roles: ["todos:read"], azpacr: "1", sub: "service-principal" },
      admits: { subject: "service-principal", scopes: ["todos:read"] }
    },
    "a user's token, whose roles are no scopes": {
      claims: { scp: "todos:read", roles: ["todos:write"] },
      admits: { scopes: ["todos:read"] }
    }
  },
  refuses: entraRefuses
}

const entraMultiTenant: Row = {
  ...entra,
  row: "Entra ID v2, several tenants",
  profile: Profiles.entraMultiTenant({
    tenants: [tenant, "11111111-2222-3333-4444-555555555555"],
    applicationId: application
  }),
  alsoAdmits: {
    ...entra.alsoAdmits,
    "a token of the second tenant": {
      claims: {
        iss: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
        tid: "11111111-2222-3333-4444-555555555555"
      }
    }
  }
}

const cognitoIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"

const cognito: Row = {
  row: "AWS Cognito",
  profile: Profiles.cognito({
    region: "eu-west-1",
    userPoolId: "eu-west-1_AbCdEf123",
    clientIds: ["client-1"],
    resourceServer: "todos"
  }),
  header: { kid: "a/b+c=" },
  keys: (jwk) => [{ ...jwk, kid: "a/b+c=" }],
  claims: {
    ...times,
    iss: cognitoIssuer,
    sub: "alice",
    client_id: "client-1",
    token_use: "access",
    scope: "openid todos/todos:read todos/todos:write other/todos:admin",
    username: "alice"
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  refuses: {
    "a token of another client (T-CLAIM-07)": { claims: { client_id: "client-2" }, reason: "audience" },
    "a token without a client": { claims: { client_id: undefined }, reason: "audience" },
    "a token whose aud names someone else": { claims: { aud: "https://other.example.com" }, reason: "audience" },
    "an ID token (T-CLAIM-05)": {
      claims: { token_use: "id", aud: "client-1", client_id: undefined, scope: undefined },
      reason: "id-token"
    },
    "a token that does not say that it is for access": { claims: { token_use: undefined }, reason: "token-type" },
    "a token of another pool": {
      claims: { iss: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other" },
      reason: "unknown-issuer"
    }
  }
}

const keycloak: Row = {
  row: "Keycloak",
  profile: Profiles.keycloak({ url: "https://sso.example.com", realm: "todos" }),
  header: { typ: "JWT" },
  keys: (jwk) => [{ ...jwk, use: "enc", alg: "RSA-OAEP", kid: "enc" }, jwk],
  claims: {
    ...times,
    iss: "https://sso.example.com/realms/todos",
    sub: "5f0c",
    aud: [resource, "account"],
    typ: "Bearer",
    azp: "client-1",
    scope: `openid ${both}`,
    realm_access: { roles: ["user"] }
  },
  admits: { subject: "5f0c", clientId: "client-1", scopes: ["openid", "todos:read", "todos:write"] },
  refuses: {
    ...addressed("account"),
    "an ID token (T-CLAIM-05)": {
      claims: { typ: "ID", aud: "client-1", scope: undefined, at_hash: "h" },
      reason: "id-token"
    },
    "an ID token for the resource": { claims: { typ: "ID", aud: resource, scope: undefined }, reason: "id-token" },
    "a refresh token": { claims: { typ: "Refresh" }, reason: "token-type" }
  }
}

const logto: Row = {
  row: "Logto",
  profile: Profiles.logto({ endpoint: "https://acme.logto.app" }),
  algorithm: "ES384",
  header: { typ: "at+jwt" },
  claims: {
    ...times,
    iss: "https://acme.logto.app/oidc",
    sub: "alice",
    aud: resource,
    client_id: "client-1",
    scope: both
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  refuses: {
    ...addressed("https://default.logto.app/api"),
    "an ID token (T-CLAIM-05)": {
      header: { typ: "JWT" },
      claims: { aud: "client-1", client_id: undefined, scope: undefined, at_hash: "h" },
      reason: "id-token"
    }
  }
}

export const rows: ReadonlyArray<Row> = [auth0, okta, entra, entraMultiTenant, cognito, keycloak, logto]
