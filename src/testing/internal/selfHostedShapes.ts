import {
  getScope,
  getSubjectOrClient,
  getTimes,
  makeRfc9068Claims,
  makeText,
  makeUuid,
  type Shapes,
  withoutPkce
} from "./shape.ts"

/** The token shapes of self-hosted authorization servers. This file contains only data. */
export const selfHostedShapes = {
  adfs: {
    title: "Active Directory Federation Services",
    confidence: "seen",
    issuer: "https://fs.todos.test/adfs",
    tokenIssuer: "http://fs.todos.test/adfs/services/trust",
    algorithm: "RS256",
    header: { typ: "JWT", x5t: "kg2LYs2T0CTjIfj4rt6JIynen38" },
    claims: (content) => ({
      aud: content.audience,
      iss: "http://fs.todos.test/adfs/services/trust",
      ...getTimes(content),
      apptype: "Confidential",
      appid: content.clientId,
      ver: "1.0",
      scp: getScope(content),
      // Access tokens of AD FS have no `sub`. They identify the user only if a claim rule of the Web API adds a claim, such as
      // this one.
      ...(content.machine ? {} : {
        primarysid: content.subject,
        authmethod: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
      })
    }),
    metadata: { ...withoutPkce, access_token_issuer: "http://fs.todos.test/adfs/services/trust" }
  },
  keycloak: {
    title: "Keycloak",
    confidence: "seen",
    issuer: "https://id.todos.test/realms/todos",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      ...getTimes(content),
      jti: content.id,
      iss: content.issuer,
      aud: content.audience,
      sub: makeUuid(getSubjectOrClient(content)),
      typ: "Bearer",
      azp: content.clientId,
      realm_access: { roles: ["default-roles-todos"] },
      resource_access: { account: { roles: ["view-profile"] } },
      scope: getScope(content),
      preferred_username: content.machine ? `service-account-${content.clientId}` : content.subject
    }),
    idToken: () => ({ typ: "ID" })
  },
  logto: {
    title: "Logto",
    confidence: "documented",
    issuer: "https://todos.logto.app/oidc",
    algorithm: "ES384",
    header: { typ: "at+jwt" },
    claims: makeRfc9068Claims
  },
  zitadel: {
    title: "Zitadel, JWT access tokens",
    confidence: "documented",
    issuer: "https://todos.zitadel.cloud",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: typeof content.audience === "string" ? [content.clientId, content.audience] : content.audience,
      azp: content.clientId,
      ...getTimes(content),
      nbf: content.issuedAt,
      jti: content.id,
      "urn:zitadel:iam:org:project:roles": Object.fromEntries(
        content.scopes.map((role) => [role, { "298372": "todos.test" }])
      )
    })
  },
  "zitadel-opaque": {
    title: "Zitadel, opaque access tokens",
    confidence: "documented",
    issuer: "https://todos.zitadel.cloud",
    algorithm: "RS256",
    opaque: ({ id }) => makeText(id, 96),
    header: {},
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: typeof content.audience === "string" ? [content.clientId, content.audience] : content.audience,
      client_id: content.clientId,
      ...getTimes(content),
      scope: getScope(content)
    })
  },
  authentik: {
    title: "authentik",
    confidence: "general-knowledge",
    issuer: "https://id.todos.test/application/o/todos/",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: content.clientId,
      azp: content.clientId,
      uid: makeText(content.id, 40),
      ...getTimes(content),
      scope: getScope(content)
    })
  },
  hydra: {
    title: "Ory Hydra, JWT access tokens",
    confidence: "documented",
    issuer: "https://id.todos.test/",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: getSubjectOrClient(content),
      aud: typeof content.audience === "string" ? [content.audience] : content.audience,
      client_id: content.clientId,
      ...getTimes(content),
      nbf: content.issuedAt,
      jti: content.id,
      scp: content.scopes,
      ext: {}
    }),
    metadata: { introspection_endpoint: undefined }
  },
  "hydra-opaque": {
    title: "Ory Hydra, opaque access tokens",
    confidence: "documented",
    issuer: "https://id.todos.test/",
    algorithm: "RS256",
    opaque: ({ id }) => `ory_at_${makeText(id, 43)}.${makeText(`${id}.`, 43)}`,
    header: {},
    claims: (content) => ({ ...makeRfc9068Claims(content), jti: undefined }),
    metadata: { introspection_endpoint: undefined }
  },
  "spring-authorization-server": {
    title: "Spring Authorization Server, JWT access tokens",
    confidence: "public-code",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      sub: getSubjectOrClient(content),
      aud: content.clientId,
      nbf: content.issuedAt,
      scope: content.scopes.length === 0 ? undefined : content.scopes,
      iss: content.issuer,
      ...getTimes(content),
      jti: content.id
    }),
    idToken: (content) => ({ azp: content.clientId, auth_time: content.issuedAt })
  },
  duende: {
    title: "Duende IdentityServer",
    confidence: "public-code",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    header: { typ: "at+jwt" },
    claims: (content) => ({
      iss: content.issuer,
      nbf: content.issuedAt,
      ...getTimes(content),
      aud: content.audience,
      scope: content.scopes.length === 0 ? undefined : content.scopes,
      client_id: content.clientId,
      ...(content.machine ? {} : { sub: content.subject, auth_time: content.issuedAt, idp: "local", amr: ["pwd"] }),
      jti: content.id
    })
  },
  "oidc-provider": {
    title: "oidc-provider, JWT access tokens",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    header: { typ: "at+jwt" },
    claims: makeRfc9068Claims
  },
  "better-auth": {
    title: "better-auth",
    confidence: "seen",
    issuer: "https://todos.test/api/auth",
    algorithm: "EdDSA",
    header: { typ: "at+jwt" },
    claims: (content) => ({
      ...makeRfc9068Claims(content),
      // With the scope `openid`, better-auth adds its userinfo endpoint to the audience.
      aud: content.scopes.includes("openid") && typeof content.audience === "string"
        ? [content.audience, `${content.issuer}/oauth2/userinfo`]
        : content.audience,
      azp: content.clientId
    }),
    jwk: { use: undefined }
  },
  glewlwyd: {
    title: "Glewlwyd",
    confidence: "seen",
    issuer: "https://id.todos.test/api/oidc",
    algorithm: "RS256",
    header: { typ: "at+jwt" },
    claims: (content) => ({ ...makeRfc9068Claims(content), nbf: content.issuedAt, type: "access_token" }),
    jwk: { use: undefined }
  },
  lemonldap: {
    title: "LemonLDAP::NG",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      ...makeRfc9068Claims(content),
      aud: typeof content.audience === "string" ? [content.clientId, content.audience] : content.audience
    }),
    // The ID token has the same audience as the access token, so the audience does not distinguish them.
    idToken: (content) => ({
      aud: typeof content.audience === "string" ? [content.clientId, content.audience] : content.audience,
      azp: content.clientId
    }),
    jwk: { alg: undefined }
  },
  openauth: {
    title: "OpenAuth",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "ES256",
    header: { typ: "JWT" },
    claims: (content) => ({
      mode: "access",
      type: "user",
      properties: { id: content.subject, scopes: content.scopes },
      aud: content.clientId,
      iss: content.issuer,
      sub: `user:${makeText(content.subject, 16, "0123456789abcdef")}`,
      exp: content.expiresAt
    }),
    metadata: withoutPkce
  },
  "django-oauth-toolkit": {
    title: "Django OAuth Toolkit",
    confidence: "seen",
    issuer: "https://id.todos.test/o",
    algorithm: "RS256",
    opaque: ({ id }) => makeText(id, 30),
    header: {},
    claims: (content) => ({
      client_id: content.clientId,
      username: content.machine ? undefined : content.subject,
      exp: content.expiresAt,
      scope: getScope(content)
    }),
    metadata: { ...withoutPkce, introspection_endpoint: undefined }
  },
  doorkeeper: {
    title: "Doorkeeper",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    opaque: ({ id }) => makeText(id, 43),
    header: {},
    claims: (content) => ({ scope: getScope(content), client_id: content.clientId, ...getTimes(content) }),
    metadata: withoutPkce
  }
} as const satisfies Shapes
