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

const tenant = "f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f"

/** The token shapes of hosted identity providers. This file contains only data. */
export const hostedShapes = {
  auth0: {
    title: "Auth0, default token profile",
    confidence: "seen",
    issuer: "https://todos.eu.auth0.com/",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.machine ? `${content.clientId}@clients` : `auth0|${content.subject}`,
      // With the scope `openid`, Auth0 adds its userinfo endpoint to the audience.
      aud: content.scopes.includes("openid") && typeof content.audience === "string"
        ? [content.audience, `${content.issuer}userinfo`]
        : content.audience,
      ...getTimes(content),
      scope: getScope(content),
      gty: content.machine ? "client-credentials" : undefined,
      azp: content.clientId
    })
  },
  "auth0-rfc9068": {
    title: "Auth0, RFC 9068 token profile",
    confidence: "documented",
    issuer: "https://todos.eu.auth0.com/",
    algorithm: "RS256",
    header: { typ: "at+jwt" },
    claims: (content) => ({
      ...makeRfc9068Claims(content),
      sub: content.machine ? `${content.clientId}@clients` : `auth0|${content.subject}`
    })
  },
  okta: {
    title: "Okta, custom authorization server",
    confidence: "seen",
    issuer: "https://todos.okta.com/oauth2/default",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      ver: 1,
      jti: `AT.${content.id}`,
      iss: content.issuer,
      aud: content.audience,
      ...getTimes(content),
      cid: content.clientId,
      uid: content.machine ? undefined : `00u${makeText(content.subject, 17)}`,
      scp: content.scopes,
      sub: getSubjectOrClient(content)
    })
  },
  "entra-v1": {
    title: "Microsoft Entra ID, token version 1.0",
    confidence: "seen",
    issuer: `https://login.microsoftonline.com/${tenant}/v2.0`,
    tokenIssuer: `https://sts.windows.net/${tenant}/`,
    algorithm: "RS256",
    header: { typ: "JWT", x5t: "kg2LYs2T0CTjIfj4rt6JIynen38" },
    claims: (content) => ({
      aud: content.audience,
      iss: `https://sts.windows.net/${tenant}/`,
      ...getTimes(content),
      nbf: content.issuedAt,
      appid: content.clientId,
      appidacr: "1",
      oid: makeUuid(getSubjectOrClient(content)),
      scp: content.machine ? undefined : getScope(content),
      roles: content.machine ? content.scopes : undefined,
      sub: content.machine ? makeUuid(content.clientId) : content.subject,
      tid: tenant,
      ver: "1.0"
    }),
    metadata: withoutPkce,
    jwk: { alg: undefined }
  },
  entra: {
    title: "Microsoft Entra ID, token version 2.0",
    confidence: "documented",
    issuer: `https://login.microsoftonline.com/${tenant}/v2.0`,
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      aud: content.audience,
      iss: content.issuer,
      ...getTimes(content),
      nbf: content.issuedAt,
      azp: content.clientId,
      azpacr: "1",
      oid: makeUuid(getSubjectOrClient(content)),
      scp: content.machine ? undefined : getScope(content),
      roles: content.machine ? content.scopes : undefined,
      sub: content.machine ? makeUuid(content.clientId) : content.subject,
      tid: tenant,
      ver: "2.0"
    }),
    metadata: withoutPkce,
    jwk: { alg: undefined }
  },
  google: {
    title: "Google",
    confidence: "seen",
    issuer: "https://accounts.google.com",
    algorithm: "RS256",
    opaque: ({ id }) => `ya29.${makeText(id, 140)}`,
    header: {},
    claims: (content) => ({
      sub: content.subject,
      aud: content.clientId,
      azp: content.clientId,
      scope: getScope(content),
      exp: content.expiresAt
    }),
    idToken: () => ({}),
    metadata: { introspection_endpoint: undefined }
  },
  github: {
    title: "GitHub",
    confidence: "public-code",
    issuer: "https://github.com/login/oauth",
    algorithm: "RS256",
    opaque: ({ id }) => `gho_${makeText(id, 36)}`,
    header: {},
    claims: (content) => ({ sub: content.subject, client_id: content.clientId, scope: getScope(content) }),
    metadata: { jwks_uri: undefined, introspection_endpoint: undefined }
  },
  cognito: {
    title: "Amazon Cognito",
    confidence: "seen",
    issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      sub: content.machine ? content.clientId : makeUuid(content.subject),
      token_use: "access",
      scope: getScope(content),
      auth_time: content.issuedAt,
      iss: content.issuer,
      ...getTimes(content),
      version: 2,
      jti: content.id,
      client_id: content.clientId
    }),
    idToken: () => ({ token_use: "id" }),
    metadata: withoutPkce
  },
  workos: {
    title: "WorkOS AuthKit",
    confidence: "public-code",
    issuer: "https://todos.authkit.app",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: content.audience,
      ...getTimes(content),
      jti: content.id,
      client_id: content.clientId,
      // `scope` contains only the scopes of the sign-in. WorkOS writes the permissions of a user to `permissions`.
      scope: "openid profile",
      permissions: content.scopes
    })
  },
  stytch: {
    title: "Stytch Connected Apps",
    confidence: "documented",
    issuer: "https://todos.customers.stytch.com",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: typeof content.audience === "string" ? [content.audience] : content.audience,
      client_id: content.clientId,
      ...getTimes(content),
      nbf: content.issuedAt,
      scope: getScope(content)
    })
  },
  descope: {
    title: "Descope",
    confidence: "public-code",
    issuer: "https://api.descope.com/v1/apps/P2abcdefghijklmnopqrstuvwxyz",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: content.audience,
      ...getTimes(content),
      scope: getScope(content)
    })
  },
  scalekit: {
    title: "Scalekit",
    confidence: "public-code",
    issuer: "https://todos.scalekit.com/resources/res_1234567890",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      iss: content.issuer,
      sub: getSubjectOrClient(content),
      aud: typeof content.audience === "string" ? [content.audience] : content.audience,
      client_id: content.clientId,
      ...getTimes(content),
      scope: getScope(content)
    })
  },
  clerk: {
    title: "Clerk",
    confidence: "public-code",
    issuer: "https://clerk.todos.test",
    algorithm: "RS256",
    header: { typ: "at+jwt" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      client_id: content.clientId,
      ...getTimes(content),
      jti: content.id,
      scope: getScope(content)
    })
  },
  supabase: {
    title: "Supabase Auth",
    confidence: "documented",
    issuer: "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
    algorithm: "ES256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: makeUuid(content.subject),
      aud: "authenticated",
      ...getTimes(content),
      role: "authenticated",
      client_id: content.clientId
    })
  },
  pingone: {
    title: "PingOne",
    confidence: "documented",
    issuer: "https://auth.pingone.eu/2f8d3b1c-7a64-4d0e-9c55-8e1f6a2b3c4d/as",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      ...makeRfc9068Claims(content),
      jti: undefined,
      sub: content.machine ? undefined : content.subject,
      aud: typeof content.audience === "string" ? [content.audience] : content.audience
    })
  },
  gitlab: {
    title: "GitLab",
    confidence: "seen",
    issuer: "https://gitlab.com",
    algorithm: "RS256",
    opaque: ({ id }) => makeText(id, 64, "0123456789abcdef"),
    header: {},
    claims: (content) => ({ scope: getScope(content), client_id: content.clientId, ...getTimes(content) })
  },
  "cloudflare-access": {
    title: "Cloudflare Access, the assertion that the origin gets",
    confidence: "public-code",
    issuer: "https://todos.cloudflareaccess.com",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      aud: typeof content.audience === "string" ? [content.audience] : content.audience,
      iss: content.issuer,
      sub: content.subject,
      ...getTimes(content),
      nbf: content.issuedAt
    })
  },
  salesforce: {
    title: "Salesforce",
    confidence: "general-knowledge",
    issuer: "https://login.salesforce.com",
    algorithm: "RS256",
    // Tokens of Salesforce contain an exclamation mark, which the syntax of Bearer tokens does not allow (RFC 6750 §2.1).
    opaque: ({ id }) => `00D${makeText(id, 12)}!${makeText(`${id}!`, 96)}`,
    header: {},
    claims: (content) => ({ ...makeRfc9068Claims(content), jti: undefined })
  }
} as const satisfies Shapes
