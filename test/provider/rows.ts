/** The access tokens of providers, as data for `tokenShapes.test.ts` and `pages.test.ts`. */
import type { Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { type Claims, now, resource } from "./harness.ts"
import { readRecipe } from "./pageProfile.ts"

interface Caller {
  readonly subject: string | undefined
  readonly clientId: string | undefined
  readonly scopes: ReadonlyArray<string>
}

interface Token {
  /** Replaces members of the row's `header`. `claims` does the same for the row's `claims`. `undefined` removes a member. */
  readonly header?: Claims
  readonly claims?: Claims
}

/**
 * An access token of a provider, the caller that the profile must return for it, and the tokens that the profile must reject.
 */
export interface Row {
  readonly row: string
  readonly profile: Profile.Profile
  readonly algorithm?: TestIssuer.Options["algorithm"]
  readonly keys?: (jwk: Claims) => ReadonlyArray<unknown>
  readonly header?: Claims
  readonly claims: Claims
  readonly admits: Caller
  readonly alsoAdmits?: Readonly<Record<string, Token & { readonly admits?: Partial<Caller> }>>
  readonly rejects: Readonly<Record<string, Token & { readonly reason: string }>>
}

const times = { iat: now, exp: now + 300 }
const both = "todos:read todos:write"
const tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
const otherTenant = "82229342-1101-4ab6-817b-70c0747630f3"
const application = "2c3caa80-93f9-425e-8b85-0745f50c0d24"
const client = "e4590ed6-62b3-5102-beff-bad2292ab01c"

/** Creates two tokens to reject: one for another server of the same provider, and one without an audience. */
const rejectAudiences = (elsewhere: unknown): Row["rejects"] => ({
  "a token for another server (T-CLAIM-07)": { claims: { aud: elsewhere }, reason: "audience" },
  "a token without an audience (JWT-25)": { claims: { aud: undefined }, reason: "audience" }
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
    "a token without a user, without a scope": {
      claims: {
        sub: "client-1@clients",
        aud: resource,
        scope: undefined,
        gty: "client-credentials"
      },
      admits: { subject: "client-1@clients", scopes: [] }
    }
  },
  rejects: {
    ...rejectAudiences("https://other.example.com"),
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
  admits: { subject: "00u1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token without a user": { claims: { uid: undefined, sub: "client-1" }, admits: { subject: "client-1" } }
  },
  rejects: {
    ...rejectAudiences("api://default"),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", cid: undefined, uid: undefined, scp: undefined, amr: ["pwd"], at_hash: "h" },
      reason: "id-token"
    },
    "an ID token for the resource": {
      claims: { cid: undefined, uid: undefined, scp: undefined, amr: ["pwd"] },
      reason: "token-type"
    },
    "a token of the organization server": { claims: { iss: "https://acme.okta.com" }, reason: "unknown-issuer" },
    "scopes that are not strings": { claims: { scp: ["todos:read", 1] }, reason: "scope" }
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

const entraRejects: Row["rejects"] = {
  ...rejectAudiences("00000003-0000-0000-c000-000000000000"),
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
    "a token without a user, with its permissions in roles": {
      claims: { scp: undefined, roles: ["todos:read"], azpacr: "1", sub: "service-principal" },
      admits: { subject: "service-principal", scopes: ["todos:read"] }
    },
    "a token of a user, whose roles are not scopes": {
      claims: { scp: "todos:read", roles: ["todos:write"] },
      admits: { scopes: ["todos:read"] }
    }
  },
  rejects: entraRejects
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
  rejects: {
    "a token of another client (T-CLAIM-07)": { claims: { client_id: "client-2" }, reason: "audience" },
    "a token without a client": { claims: { client_id: undefined }, reason: "audience" },
    "a token whose aud names another server": { claims: { aud: "https://other.example.com" }, reason: "audience" },
    "an ID token (T-CLAIM-05)": {
      claims: { token_use: "id", aud: "client-1", client_id: undefined, scope: undefined },
      reason: "id-token"
    },
    "a token without token_use": { claims: { token_use: undefined }, reason: "token-type" },
    "a token of another pool": {
      claims: { iss: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other" },
      reason: "unknown-issuer"
    }
  }
}

const cognitoBound: Row = {
  ...cognito,
  row: "AWS Cognito, with resource binding",
  profile: Profiles.cognito({
    region: "eu-west-1",
    userPoolId: "eu-west-1_AbCdEf123",
    clientIds: ["client-1"],
    audience: resource,
    resourceServer: "todos"
  }),
  claims: { ...cognito.claims, aud: resource },
  rejects: {
    ...rejectAudiences("https://other.example.com"),
    "a token of another client": { claims: { client_id: "client-2" }, reason: "audience" }
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
  rejects: {
    ...rejectAudiences("account"),
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
  rejects: {
    ...rejectAudiences("https://default.logto.app/api"),
    "an ID token (T-CLAIM-05)": {
      header: { typ: "JWT" },
      claims: { aud: "client-1", client_id: undefined, scope: undefined, at_hash: "h" },
      reason: "id-token"
    }
  }
}

const authkit: Row = {
  row: "WorkOS AuthKit",
  profile: Profiles.authkit({ domain: "acme.authkit.app" }),
  claims: {
    ...times,
    iss: "https://acme.authkit.app",
    aud: resource,
    sub: "user_1",
    client_id: "client-1",
    sid: "consent_1",
    jti: "1",
    scope: "openid profile",
    permissions: ["todos:read"]
  },
  admits: { subject: "user_1", clientId: "client-1", scopes: ["todos:read"] },
  alsoAdmits: { "a user without permissions": { claims: { permissions: undefined }, admits: { scopes: [] } } },
  rejects: {
    ...rejectAudiences("client_01ENVIRONMENT"),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", client_id: undefined, scope: undefined, nonce: "n" },
      reason: "id-token"
    },
    "a session token of the same tenant's application": {
      claims: { client_id: undefined, aud: undefined, role: "member", scope: undefined },
      reason: "token-type"
    },
    "a token without a user, which names the environment": {
      claims: { sub: "client-1", aud: "client_01ENVIRONMENT", sid: undefined },
      reason: "audience"
    }
  }
}

const stytch: Row = {
  row: "Stytch Connected Apps",
  profile: Profiles.stytch({ domain: "acme.customers.stytch.com", projectId: "project-live-1" }),
  claims: {
    ...times,
    nbf: now,
    iss: "https://acme.customers.stytch.com",
    sub: "user-live-1",
    aud: ["project-live-1"],
    client_id: "connected-app-live-1",
    jti: "1",
    scope: both
  },
  admits: { subject: "user-live-1", clientId: "connected-app-live-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token without a user, which has no client and another issuer": {
      claims: { iss: "stytch.com/project-live-1", client_id: undefined, sub: "m2m-client-1" },
      admits: { subject: "m2m-client-1", clientId: undefined }
    }
  },
  rejects: {
    ...rejectAudiences(["project-live-2"]),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: ["connected-app-live-1"], client_id: undefined, scope: undefined, email: "alice@example.com" },
      reason: "token-type"
    }
  }
}

const descope: Row = {
  row: "Descope",
  profile: Profiles.descope({
    projectId: "P2abc",
    mcpServerIssuer: "https://api.descope.com/v1/apps/agentic/P2abc/MS2abc"
  }),
  claims: {
    ...times,
    iss: "https://api.descope.com/v1/apps/agentic/P2abc/MS2abc",
    aud: resource,
    sub: "U2abc",
    scope: both
  },
  admits: { subject: "U2abc", clientId: undefined, scopes: ["todos:read", "todos:write"] },
  rejects: {
    ...rejectAudiences("P2abc"),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", scope: undefined, amr: ["email"] },
      reason: "token-type"
    },
    "a session of the project": { claims: { iss: "https://api.descope.com/v1/apps/P2abc" }, reason: "unknown-issuer" },
    "a refresh token (T-AUD-51)": { claims: { drn: "DSR" }, reason: "id-token" }
  }
}

const descopeProject: Row = {
  ...descope,
  row: "Descope, a project",
  profile: Profiles.descope({ projectId: "P2abc" }),
  claims: { ...descope.claims, iss: "https://api.descope.com/v1/apps/P2abc", aud: ["P2abc"] },
  rejects: { ...rejectAudiences(["P2other"]) }
}

const scalekit: Row = {
  row: "Scalekit",
  profile: Profiles.scalekit({ environment: "https://acme.scalekit.com", resourceId: "res_123" }),
  claims: {
    ...times,
    iss: "https://acme.scalekit.com/resources/res_123",
    aud: ["res_123", resource],
    sub: "usr_1",
    client_id: "client-1",
    scope: both
  },
  admits: { subject: "usr_1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token of the environment, during the migration": { claims: { iss: "https://acme.scalekit.com" } },
    "scopes as a list": { claims: { scope: undefined, scopes: ["todos:read"] }, admits: { scopes: ["todos:read"] } }
  },
  rejects: {
    ...rejectAudiences(["res_456", resource]),
    "an ID token (T-CLAIM-05)": {
      claims: { aud: ["skc_1"], client_id: undefined, scope: undefined, amr: ["c"] },
      reason: "token-type"
    }
  }
}

const clerk: Row = {
  row: "Clerk",
  profile: Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["client-1"] }),
  header: { typ: "at+jwt" },
  claims: {
    ...times,
    iss: "https://clerk.example.com",
    sub: "user_1",
    client_id: "client-1",
    scope: both,
    org_permissions: ["org:todos:read"]
  },
  admits: { subject: "user_1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  rejects: {
    "a token of another client (T-CLAIM-07)": { claims: { client_id: "client-2" }, reason: "audience" },
    "a token without a client": { claims: { client_id: undefined }, reason: "audience" },
    "a token whose aud names another server": { claims: { aud: "https://other.example.com" }, reason: "audience" },
    "an ID token (T-CLAIM-05)": {
      header: { typ: "JWT" },
      claims: { aud: "client-1", client_id: undefined, scope: undefined, nonce: "n" },
      reason: "id-token"
    },
    "a session token of the same tenant's application": {
      header: { typ: "JWT" },
      claims: { client_id: undefined, scope: undefined, azp: "https://app.example.com", sid: "sess_1" },
      reason: "token-type"
    }
  }
}

const supabaseProject = { url: "https://abcdefghijklmnopqrst.supabase.co" }

const supabase: Row = {
  row: "Supabase Auth",
  profile: Profiles.supabase({ ...supabaseProject, clientIds: ["client-1"], scopeClaim: "todo_scopes" }),
  algorithm: "ES256",
  header: { typ: "JWT" },
  claims: {
    ...times,
    iss: "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
    aud: "authenticated",
    sub: "3f0c",
    role: "authenticated",
    aal: "aal1",
    session_id: "s",
    client_id: "client-1",
    amr: [{ method: "password", timestamp: now }],
    todo_scopes: ["todos:read"]
  },
  admits: { subject: "3f0c", clientId: "client-1", scopes: ["todos:read"] },
  alsoAdmits: {
    "a token of the default configuration, without scopes": {
      claims: { todo_scopes: undefined },
      admits: { scopes: [] }
    }
  },
  rejects: {
    ...rejectAudiences("anon"),
    "the session of a user, which every application of the project has (T-CLAIM-07)": {
      claims: { client_id: undefined },
      reason: "token-type"
    },
    "a token of another client": { claims: { client_id: "client-2" }, reason: "audience" },
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", client_id: undefined, role: undefined, nonce: "n" },
      reason: "id-token"
    }
  }
}

const supabaseHook: Row = {
  ...supabase,
  row: "Supabase Auth, with a token hook",
  profile: Profiles.supabase({ ...supabaseProject, audience: resource }),
  claims: { ...supabase.claims, aud: resource, client_id: "registered-itself" },
  admits: { subject: "3f0c", clientId: "registered-itself", scopes: [] },
  alsoAdmits: {},
  rejects: { ...rejectAudiences("authenticated") }
}

const zitadel: Row = {
  row: "Zitadel",
  profile: Profiles.zitadel({ url: "https://acme.zitadel.cloud", projectId: "271828182845904523" }),
  header: { typ: undefined },
  claims: {
    ...times,
    iss: "https://acme.zitadel.cloud",
    sub: "161803398874989484",
    aud: ["314159265358979323", "271828182845904523"],
    azp: "314159265358979323",
    jti: "V2_1",
    "urn:zitadel:iam:org:project:roles": {
      "todos:read": { "1": "acme.zitadel.cloud" },
      "todos:write": { "1": "acme.zitadel.cloud" }
    }
  },
  admits: {
    subject: "161803398874989484",
    clientId: "314159265358979323",
    scopes: ["todos:read", "todos:write"]
  },
  alsoAdmits: {
    "a user without roles": { claims: { "urn:zitadel:iam:org:project:roles": undefined }, admits: { scopes: [] } }
  },
  rejects: {
    ...rejectAudiences(["314159265358979323", "999999999999999999"]),
    "an ID token, which names the project as well (T-CLAIM-05)": {
      claims: { jti: undefined, auth_time: now, amr: ["pwd"] },
      reason: "token-type"
    },
    "an ID token that had a jti": { claims: { auth_time: now, amr: ["pwd"] }, reason: "id-token" },
    "roles of another shape": { claims: { "urn:zitadel:iam:org:project:roles": "todos:read" }, reason: "scope" }
  }
}

const authentik: Row = {
  row: "authentik",
  profile: Profiles.authentik({ url: "https://auth.example.com", slug: "todos", clientId: "client-1" }),
  header: { typ: "JWT" },
  claims: {
    ...times,
    iss: "https://auth.example.com/application/o/todos/",
    sub: "a1",
    aud: "client-1",
    azp: "client-1",
    uid: "u1",
    auth_time: now,
    acr: "goauthentik.io/providers/oauth2/default",
    scope: both
  },
  admits: { subject: "a1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: { "a token without a scope": { claims: { scope: undefined }, admits: { scopes: [] } } },
  rejects: {
    ...rejectAudiences("client-2"),
    "an ID token, which has the same audience (T-CLAIM-05)": {
      claims: { azp: undefined, uid: undefined, scope: undefined, nonce: "n" },
      reason: "id-token"
    },
    "an ID token without a nonce": {
      claims: { azp: undefined, uid: undefined, scope: undefined },
      reason: "token-type"
    },
    "a token of another application": {
      claims: { iss: "https://auth.example.com/application/o/other/" },
      reason: "unknown-issuer"
    }
  }
}

const hydra: Row = {
  row: "Ory Hydra",
  profile: Profiles.hydra({ url: "https://auth.example.com" }),
  header: { typ: "JWT" },
  claims: {
    ...times,
    nbf: now,
    iss: "https://auth.example.com/",
    sub: "alice",
    aud: [resource],
    client_id: "client-1",
    jti: "1",
    ext: {},
    scp: ["todos:read", "todos:write"]
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  rejects: {
    ...rejectAudiences(["https://other.example.com"]),
    "a token whose request named no audience": { claims: { aud: [] }, reason: "audience" },
    "an ID token (T-CLAIM-05)": {
      claims: { aud: ["client-1"], client_id: undefined, scp: undefined, at_hash: "h" },
      reason: "id-token"
    }
  }
}

const pingone: Row = {
  row: "PingOne",
  profile: Profiles.pingone({
    environmentId: "b9817c16-9910-4415-b67e-4ac687da74d9",
    region: "eu",
    machineClients: ["program-1"]
  }),
  claims: {
    ...times,
    iss: "https://auth.pingone.eu/b9817c16-9910-4415-b67e-4ac687da74d9/as",
    sub: "alice",
    aud: [resource],
    client_id: "client-1",
    scope: both,
    auth_time: now,
    acr: "Single_Factor",
    env: "b9817c16-9910-4415-b67e-4ac687da74d9"
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "the type that comes with 2027-03-02": { header: { typ: "at+jwt" } },
    "a token without a user, which has no sub": {
      claims: { sub: undefined, client_id: "program-1", auth_time: undefined, acr: undefined },
      admits: { subject: undefined, clientId: "program-1" }
    }
  },
  rejects: {
    ...rejectAudiences(["https://api.pingone.eu"]),
    "a token without sub of a client that signs users in (T-AUD-17)": { claims: { sub: undefined }, reason: "subject" },
    "an ID token (T-CLAIM-05)": {
      claims: { aud: "client-1", client_id: undefined, scope: undefined, at_hash: "h" },
      reason: "id-token"
    }
  }
}

const adfs: Row = {
  row: "ADFS",
  profile: Profiles.adfs({
    issuer: "https://fs.example.com/adfs",
    accessTokenIssuer: "http://fs.example.com/adfs/services/trust",
    machineClients: ["program-1"]
  }),
  keys: ({ alg: _, ...jwk }) => [jwk],
  header: { typ: "JWT", x5t: "thumbprint" },
  claims: {
    ...times,
    iss: "http://fs.example.com/adfs/services/trust",
    aud: resource,
    appid: "client-1",
    apptype: "Confidential",
    primarysid: "S-1-5-21-1",
    authmethod: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    auth_time: "2026-11-01T07:30:55.566Z",
    scp: both,
    ver: "1.0"
  },
  admits: { subject: "S-1-5-21-1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a user's token with sub": { claims: { sub: "alice" }, admits: { subject: "alice" } },
    "a token of a user who was renamed": {
      claims: { upn: "renamed@example.com" },
      admits: { subject: "S-1-5-21-1" }
    },
    "a token whose scopes are in another claim": { claims: { scp: undefined, scope: both }, admits: { scopes: [] } },
    "a token without a user": {
      claims: { appid: "program-1", primarysid: undefined, authmethod: undefined, auth_time: undefined },
      admits: { subject: undefined, clientId: "program-1" }
    }
  },
  rejects: {
    "a token that can belong to any user (T-AUD-17)": { claims: { primarysid: undefined }, reason: "subject" },
    "a token with a name that may pass to another user (T-AUD-17)": {
      claims: { primarysid: undefined, upn: "alice@example.com" },
      reason: "subject"
    },
    "a token with a display name alone (T-AUD-17)": {
      claims: { primarysid: undefined, unique_name: ["Alice Smith", "EXAMPLE\\alice"], email: "alice@example.com" },
      reason: "subject"
    },
    "a primarysid that is a list (T-AUD-17)": { claims: { primarysid: ["S-1-5-21-1"] }, reason: "subject" },
    ...rejectAudiences("urn:microsoft:userinfo"),
    "an ID token, which names the other issuer (T-CLAIM-05)": {
      claims: { iss: "https://fs.example.com/adfs", aud: "client-1", sub: "alice" },
      reason: "unknown-issuer"
    },
    "a token without a user and a client": { claims: { appid: undefined }, reason: "token-type" },
    "scopes that are a list": { claims: { scp: ["todos:read"] }, reason: "scope" },
    "an empty sub (JWT-05)": { claims: { sub: "" }, reason: "subject" },
    "a sub that is null (JWT-05)": { claims: { sub: null }, reason: "subject" }
  }
}

const oidcProvider: Row = {
  row: "oidc-provider",
  profile: Profiles.oidcProvider({ issuer: "https://auth.example.com" }),
  algorithm: "Ed25519",
  header: { typ: "at+jwt" },
  claims: {
    ...times,
    iss: "https://auth.example.com",
    sub: "alice",
    aud: resource,
    client_id: "client-1",
    scope: both,
    jti: "1"
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token for which no scope was granted": { claims: { scope: undefined }, admits: { scopes: [] } },
    "a token without a user": { claims: { sub: "client-1" }, admits: { subject: "client-1" } }
  },
  rejects: {
    ...rejectAudiences("https://other.example.com"),
    "an ID token (T-CLAIM-05)": {
      header: { typ: "JWT" },
      claims: { aud: "client-1", client_id: undefined, scope: undefined, at_hash: "h" },
      reason: "token-type"
    },
    "an ID token with the claims of an access token": { header: { typ: "JWT" }, reason: "token-type" }
  }
}

const betterAuth: Row = {
  row: "better-auth",
  profile: Profiles.betterAuth({ issuer: "https://example.com/api/auth" }),
  algorithm: "EdDSA",
  keys: ({ use: _, ...jwk }) => [jwk],
  header: { typ: "at+jwt" },
  claims: {
    ...times,
    iss: "https://example.com/api/auth",
    sub: "alice",
    aud: resource,
    client_id: "client-1",
    azp: "client-1",
    scope: both
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "two audiences, when openid was granted": {
      claims: { aud: [resource, "https://example.com/api/auth/oauth2/userinfo"] }
    }
  },
  rejects: {
    ...rejectAudiences("https://example.com/api/auth/oauth2/userinfo"),
    "an ID token (T-CLAIM-05)": { header: { typ: "JWT" }, claims: { aud: "client-1" }, reason: "token-type" }
  }
}

const glewlwyd: Row = {
  row: "glewlwyd",
  profile: Profiles.glewlwyd({ issuer: "https://example.com/api/oidc" }),
  keys: ({ use: _, ...jwk }) => [jwk],
  header: { typ: "at+jwt" },
  claims: {
    ...times,
    nbf: now,
    type: "access_token",
    iss: "https://example.com/api/oidc",
    sub: "alice",
    aud: resource,
    client_id: "client-1",
    scope: both
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  rejects: {
    ...rejectAudiences("https://other.example.com"),
    "a token without a resource, whose aud is the scope string": { claims: { aud: both }, reason: "audience" },
    "an ID token (T-CLAIM-05)": {
      header: { typ: "JWT" },
      claims: {
        aud: "client-1",
        azp: "client-1",
        client_id: undefined,
        scope: undefined,
        type: undefined,
        nonce: "n",
        at_hash: "h"
      },
      reason: "token-type"
    }
  }
}

const lemonldap: Row = {
  row: "LemonLDAP::NG",
  profile: Profiles.lemonldap({ issuer: "https://auth.example.com" }),
  keys: ({ alg: _, ...jwk }) => [jwk],
  header: { typ: "JWT" },
  claims: {
    ...times,
    iss: "https://auth.example.com",
    sub: "alice",
    aud: ["client-1", resource],
    client_id: "client-1",
    scope: both
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  rejects: {
    ...rejectAudiences(["client-1"]),
    "an ID token, which has the same audience (T-CLAIM-05)": {
      claims: { client_id: undefined, scope: undefined, azp: "client-1", acr: "loa-2" },
      reason: "token-type"
    },
    "an ID token with a scope in it": { claims: { azp: "client-1" }, reason: "id-token" }
  }
}

const openauth: Row = {
  row: "OpenAuth",
  profile: Profiles.openauth({ issuer: "https://auth.example.com", clientIds: ["client-1"] }),
  algorithm: "ES256",
  header: { typ: "JWT" },
  claims: {
    ...times,
    iss: "https://auth.example.com",
    sub: "user:a1",
    aud: "client-1",
    mode: "access",
    type: "user",
    properties: { id: "a1", scopes: ["todos:read", "todos:write"] }
  },
  admits: { subject: "user:a1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "scopes in one string": { claims: { properties: { id: "a1", scopes: both } } },
    "no scopes": { claims: { properties: { id: "a1" } }, admits: { scopes: [] } },
    "no scopes, if scope is not in the properties": {
      claims: { properties: { id: "a1" }, scope: both },
      admits: { scopes: [] }
    }
  },
  rejects: {
    ...rejectAudiences("client-2"),
    "scopes that are not strings": { claims: { properties: { id: "a1", scopes: ["todos:read", 1] } }, reason: "scope" },
    "a token that is not for access": { claims: { mode: "refresh" }, reason: "token-type" },
    "a token without a mode (T-CLAIM-05)": { claims: { mode: undefined }, reason: "token-type" }
  }
}

const spring: Row = {
  row: "Spring Authorization Server",
  profile: Profiles.springAuthorizationServer({ issuer: "https://auth.example.com", clientIds: ["client-1"] }),
  claims: {
    ...times,
    nbf: now,
    iss: "https://auth.example.com",
    sub: "alice",
    aud: "client-1",
    scope: ["todos:read", "todos:write"],
    jti: "1"
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token without scopes": { claims: { scope: undefined }, admits: { scopes: [] } },
    "a token without a user": { claims: { sub: "client-1" }, admits: { subject: "client-1" } }
  },
  rejects: {
    ...rejectAudiences("client-2"),
    "an ID token (T-CLAIM-05)": {
      claims: { nbf: undefined, scope: undefined, azp: "client-1", auth_time: now },
      reason: "token-type"
    },
    "an ID token with scopes and times that a customizer adds (T-CLAIM-05)": {
      claims: { azp: "client-1" },
      reason: "id-token"
    },
    "scopes that are not strings": { claims: { scope: ["todos:read", 1] }, reason: "scope" }
  }
}

const springBound: Row = {
  ...spring,
  row: "Spring Authorization Server, with an audience of a customizer",
  profile: Profiles.springAuthorizationServer({ issuer: "https://auth.example.com", audience: resource }),
  claims: { ...spring.claims, aud: resource, client_id: "client-1" },
  alsoAdmits: {
    "a token that does not name its client": { claims: { client_id: undefined }, admits: { clientId: undefined } }
  },
  rejects: rejectAudiences("client-1")
}

const duende: Row = {
  row: "Duende IdentityServer",
  profile: Profiles.duende({ issuer: "https://auth.example.com", machineClients: ["program-1"] }),
  header: { typ: "at+jwt" },
  claims: {
    ...times,
    nbf: now,
    iss: "https://auth.example.com",
    sub: "alice",
    aud: resource,
    client_id: "client-1",
    scope: ["todos:read", "todos:write"],
    auth_time: now,
    idp: "local",
    amr: ["pwd"],
    jti: "1"
  },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "scopes as a string": { claims: { scope: both } },
    "a token of two API resources": { claims: { aud: ["orders", resource] } },
    "a token without a user": {
      claims: { sub: undefined, client_id: "program-1", auth_time: undefined, idp: undefined, amr: undefined },
      admits: { subject: undefined, clientId: "program-1" }
    }
  },
  rejects: {
    ...rejectAudiences("orders"),
    "a token that can belong to any user (T-AUD-17)": { claims: { sub: undefined }, reason: "subject" },
    "an ID token (T-CLAIM-05)": {
      header: { typ: "JWT" },
      claims: { aud: "client-1", client_id: undefined, scope: undefined, nonce: "n" },
      reason: "token-type"
    }
  }
}

const kinde: Row = {
  row: "Kinde",
  profile: readRecipe("kinde.md"),
  header: { typ: "JWT" },
  claims: {
    ...times,
    iss: "https://acme.kinde.com",
    sub: "kp_1",
    aud: [resource],
    azp: "client-1",
    scp: ["openid", "offline"],
    permissions: ["todos:read", "todos:write"],
    org_code: "org_1",
    jti: "1"
  },
  admits: { subject: "kp_1", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token without a user": {
      claims: {
        sub: undefined,
        azp: "todos-job",
        permissions: undefined,
        scp: ["todos:read"],
        scope: "todos:read",
        gty: ["client_credentials"]
      },
      admits: { subject: undefined, clientId: "todos-job", scopes: ["todos:read"] }
    }
  },
  rejects: {
    ...rejectAudiences("https://other.example.com"),
    "a token that can belong to any user (T-AUD-17)": { claims: { sub: undefined }, reason: "subject" },
    "an ID token (T-CLAIM-05)": {
      claims: { aud: ["https://acme.kinde.com"], scp: undefined, permissions: undefined, at_hash: "h" },
      reason: "id-token"
    },
    "an ID token for the resource": { claims: { scp: undefined, scope: both }, reason: "token-type" }
  }
}

const casdoor: Row = {
  row: "Casdoor",
  profile: readRecipe("casdoor.md"),
  header: { typ: "JWT" },
  claims: {
    ...times,
    nbf: now,
    iss: "https://casdoor.example.com",
    sub: "5f0c",
    aud: [resource],
    azp: "client-1",
    tokenType: "access-token",
    scope: both,
    owner: "acme",
    name: "alice",
    type: "normal-user",
    tag: "",
    jti: "admin/1"
  },
  admits: { subject: "5f0c", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  rejects: {
    ...rejectAudiences("client-1"),
    "a JWT that is marked as an ID token (T-CLAIM-05)": { claims: { tokenType: "id-token" }, reason: "id-token" },
    "a refresh token": { claims: { tokenType: "refresh-token" }, reason: "token-type" },
    "a token without tokenType": { claims: { tokenType: undefined }, reason: "token-type" },
    "a token of a sign-in with a nonce": { claims: { nonce: "n" }, reason: "id-token" }
  }
}

const xsuaa: Row = {
  row: "SAP XSUAA",
  profile: readRecipe("xsuaa.md"),
  header: { typ: "JWT", jku: "https://evil.example/token_keys" },
  claims: {
    ...times,
    iss: "https://acme.authentication.eu10.hana.ondemand.com/oauth/token",
    sub: "5f0c",
    aud: ["openid", "sb-todos!t123", "todos!t123"],
    client_id: "sb-todos!t123",
    cid: "sb-todos!t123",
    azp: "sb-todos!t123",
    grant_type: "authorization_code",
    scope: ["openid", "todos!t123.todos:read", "todos!t123.todos:write", "orders!t5.admin"],
    zid: "zone-1",
    jti: "1"
  },
  admits: { subject: "5f0c", clientId: "sb-todos!t123", scopes: ["todos:read", "todos:write"] },
  alsoAdmits: {
    "a token with the prefix alone, which is not a scope": {
      claims: { scope: ["todos!t123.", "todos!t123.todos:read"] },
      admits: { scopes: ["todos:read"] }
    }
  },
  rejects: {
    ...rejectAudiences(["sb-orders!t5", "orders!t5"]),
    "a token of another subaccount": {
      claims: { iss: "https://evil.authentication.eu10.hana.ondemand.com/oauth/token" },
      reason: "unknown-issuer"
    },
    "an ID token (T-CLAIM-05)": {
      claims: { aud: ["sb-todos!t123"], client_id: undefined, scope: ["openid"], nonce: "n" },
      reason: "id-token"
    }
  }
}

const dex: Row = {
  row: "Dex",
  profile: readRecipe("dex.md"),
  claims: {
    ...times,
    iss: "https://dex.example.com",
    sub: "CgVhbGljZRIFbG9jYWw",
    aud: "todos",
    at_hash: "h",
    email: "alice@example.com",
    groups: ["admins"],
    jti: "1"
  },
  admits: { subject: "CgVhbGljZRIFbG9jYWw", clientId: "todos", scopes: [] },
  alsoAdmits: {
    "an ID token, which has the same claims": { claims: { at_hash: "other", c_hash: "h", nonce: "n" } },
    "a token with several audiences": { claims: { aud: ["other", "todos"], azp: "todos" } }
  },
  rejects: {
    ...rejectAudiences("other"),
    "a logout token": { claims: { events: {}, sid: "1" }, reason: "id-token" },
    "a token that names another kind": { claims: { token_use: "refresh" }, reason: "token-type" },
    "a token without a subject": { claims: { sub: undefined }, reason: "subject" }
  }
}

const aud = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
const serviceToken = "88bf3b6d86161464f6509f7219099e57.access"

// The claims of the documentation (developers.cloudflare.com, application token).
const cloudflareAccess: Row = {
  row: "Cloudflare Access",
  profile: Profiles.cloudflareAccess({ team: "acme", audience: aud, serviceTokens: [serviceToken] }),
  header: { typ: "JWT" },
  claims: {
    ...times,
    aud: [aud],
    email: "alice@example.com",
    nbf: now,
    iss: "https://acme.cloudflareaccess.com",
    type: "app",
    identity_nonce: "6ei69kawdKzMIAPF",
    sub: "7335d417-61da-459d-899c-0a01c76a2f94",
    country: "US"
  },
  admits: { subject: "7335d417-61da-459d-899c-0a01c76a2f94", clientId: undefined, scopes: [] },
  alsoAdmits: {
    "a service token, whose sub is empty": {
      claims: { common_name: serviceToken, sub: "", email: undefined, identity_nonce: undefined, nbf: undefined },
      admits: { subject: undefined, clientId: serviceToken }
    }
  },
  rejects: {
    ...rejectAudiences(["4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"]),
    "the token of the session at all applications": { claims: { type: "org" }, reason: "token-type" },
    "a token without a type": { claims: { type: undefined }, reason: "token-type" },
    "a service token that is not listed": {
      claims: { common_name: "0123456789abcdef0123456789abcdef.access", sub: "" },
      reason: "subject"
    },
    "an empty sub without a service token": { claims: { sub: "" }, reason: "subject" },
    "a token without a subject": { claims: { sub: undefined }, reason: "subject" }
  }
}

const backend = "/projects/123456789/global/backendServices/987654321"

// The claims of the documentation (cloud.google.com/iap/docs/signed-headers-howto).
const googleIap: Row = {
  row: "Google Identity-Aware Proxy",
  profile: Profiles.googleIap({ audience: backend }),
  algorithm: "ES256",
  claims: {
    ...times,
    aud: backend,
    iss: "https://cloud.google.com/iap",
    sub: "accounts.google.com:118133858486581853996",
    email: "accounts.google.com:alice@example.com",
    hd: "example.com",
    google: { access_levels: ["accessPolicies/123/accessLevels/todos"] }
  },
  admits: { subject: "accounts.google.com:118133858486581853996", clientId: undefined, scopes: [] },
  alsoAdmits: { "a token with the type JWT in its header": { header: { typ: "JWT" } } },
  rejects: {
    ...rejectAudiences("/projects/123456789/global/backendServices/1"),
    "an ID token": { claims: { at_hash: "h" }, reason: "id-token" },
    "a token without a subject": { claims: { sub: undefined }, reason: "subject" }
  }
}

export const rows: ReadonlyArray<Row> = [
  auth0,
  okta,
  entra,
  entraMultiTenant,
  adfs,
  cognito,
  cognitoBound,
  keycloak,
  logto,
  authkit,
  stytch,
  descope,
  descopeProject,
  scalekit,
  clerk,
  supabase,
  supabaseHook,
  zitadel,
  authentik,
  hydra,
  pingone,
  oidcProvider,
  betterAuth,
  glewlwyd,
  lemonldap,
  openauth,
  spring,
  springBound,
  duende,
  kinde,
  casdoor,
  xsuaa,
  dex,
  cloudflareAccess,
  googleIap
]
