/**
 * The shapes of tokens of real providers, as data, for tests with a `TestIssuer`.
 *
 * **Details**
 *
 * A shape contains the claims and the header members that a provider writes. `confidence` names the source. Members without a
 * source are left out.
 *
 * @since 0.1.0
 */
import type { Algorithm } from "../crypto/Algorithm.ts"

/**
 * The values of a token in a shape.
 *
 * @category models
 * @since 0.1.0
 */
export interface Content {
  readonly issuer: string
  /** The requested audience. */
  readonly audience: string | ReadonlyArray<string>
  readonly subject: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string>
  /** In seconds since 1970, as is `expiresAt`. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly id: string
  /** Whether the token belongs to a client without a user (client credentials). */
  readonly machine: boolean
}

type Members = Readonly<Record<string, unknown>>

/**
 * The shape of the tokens of a provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenShape {
  readonly title: string
  /**
   * The source: `"seen"` is an observed token, `"documented"` the documentation of the provider, `"public-code"` integrations in public
   * repositories, and `"general-knowledge"` none of these.
   */
  readonly confidence: "seen" | "documented" | "public-code" | "general-knowledge"
  /** An issuer URL in the form of the provider. */
  readonly issuer: string
  /** The claim `iss`, if it differs from the issuer. */
  readonly tokenIssuer?: string | undefined
  readonly algorithm: Algorithm
  /** Creates an opaque token; `undefined` for JWTs. */
  readonly opaque?: ((content: Content) => string) | undefined
  /** The header members other than `alg` and `kid`. */
  readonly header: Members
  /** Creates the claims of an access token, or the introspection response of an opaque one; `undefined` omits a claim. */
  readonly claims: (content: Content) => Members
  /** Creates the claims that distinguish ID tokens, in addition to `nonce` and the client as the audience. */
  readonly idToken?: ((content: Content) => Members) | undefined
  /** Members that replace those of the metadata; `undefined` omits a member. */
  readonly metadata?: Members | undefined
  /** Members that replace those of public keys; `undefined` omits a member. */
  readonly jwk?: Members | undefined
}

const times = ({ expiresAt, issuedAt }: Content) => ({ iat: issuedAt, exp: expiresAt })

/** Returns the user, or the client of a token without a user. */
const subjectOrClient = ({ clientId, machine, subject }: Content) => machine ? clientId : subject

const scope = ({ scopes }: Content) => scopes.length === 0 ? undefined : scopes.join(" ")

const uuid = (seed: string) => {
  const hex = random(seed, 32, "0123456789abcdef")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** Creates random-looking text that depends only on the seed, so that tests are repeatable. Not a secret. */
const random = (
  seed: string,
  length: number,
  alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
) => {
  let state = 2166136261
  for (const character of seed) state = Math.imul(state ^ character.codePointAt(0)!, 16777619)
  let text = ""
  while (text.length < length) {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9
    text += alphabet[(state >>> 0) % alphabet.length]
  }
  return text
}

const noPkce = { code_challenge_methods_supported: undefined }
const tenant = "f5a0c4de-1f2b-4c1e-9d0a-3b2a1c0d9e8f"

const textbook = (content: Content): Members => ({
  iss: content.issuer,
  sub: subjectOrClient(content),
  aud: content.audience,
  client_id: content.clientId,
  ...times(content),
  jti: content.id,
  scope: scope(content)
})

const table = {
  auth0: {
    title: "Auth0, its own token profile",
    confidence: "seen",
    issuer: "https://todos.eu.auth0.com/",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      iss: content.issuer,
      sub: content.machine ? `${content.clientId}@clients` : `auth0|${content.subject}`,
      // With `openid` the userinfo endpoint is an audience as well.
      aud: content.scopes.includes("openid") && typeof content.audience === "string"
        ? [content.audience, `${content.issuer}userinfo`]
        : content.audience,
      ...times(content),
      scope: scope(content),
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
      ...textbook(content),
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
      ...times(content),
      cid: content.clientId,
      uid: content.machine ? undefined : `00u${random(content.subject, 17)}`,
      scp: content.scopes,
      sub: subjectOrClient(content)
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
      ...times(content),
      nbf: content.issuedAt,
      appid: content.clientId,
      appidacr: "1",
      oid: uuid(subjectOrClient(content)),
      scp: content.machine ? undefined : scope(content),
      roles: content.machine ? content.scopes : undefined,
      sub: content.machine ? uuid(content.clientId) : content.subject,
      tid: tenant,
      ver: "1.0"
    }),
    metadata: noPkce,
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
      ...times(content),
      nbf: content.issuedAt,
      azp: content.clientId,
      azpacr: "1",
      oid: uuid(subjectOrClient(content)),
      scp: content.machine ? undefined : scope(content),
      roles: content.machine ? content.scopes : undefined,
      sub: content.machine ? uuid(content.clientId) : content.subject,
      tid: tenant,
      ver: "2.0"
    }),
    metadata: noPkce,
    jwk: { alg: undefined }
  },
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
      ...times(content),
      apptype: "Confidential",
      appid: content.clientId,
      ver: "1.0",
      scp: undefined,
      scope: scope(content),
      // No token has `sub`. Only a rule of the Web API, such as this one, names the user.
      ...(content.machine ? {} : {
        primarysid: content.subject,
        authmethod: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
      })
    }),
    metadata: { ...noPkce, access_token_issuer: "http://fs.todos.test/adfs/services/trust" }
  },
  google: {
    title: "Google",
    confidence: "seen",
    issuer: "https://accounts.google.com",
    algorithm: "RS256",
    opaque: ({ id }) => `ya29.${random(id, 140)}`,
    header: {},
    claims: (content) => ({
      sub: content.subject,
      aud: content.clientId,
      azp: content.clientId,
      scope: scope(content),
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
    opaque: ({ id }) => `gho_${random(id, 36)}`,
    header: {},
    claims: (content) => ({ sub: content.subject, client_id: content.clientId, scope: scope(content) }),
    metadata: { jwks_uri: undefined, introspection_endpoint: undefined }
  },
  cognito: {
    title: "Amazon Cognito",
    confidence: "seen",
    issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      sub: content.machine ? content.clientId : uuid(content.subject),
      token_use: "access",
      scope: scope(content),
      auth_time: content.issuedAt,
      iss: content.issuer,
      ...times(content),
      version: 2,
      jti: content.id,
      client_id: content.clientId
    }),
    idToken: () => ({ token_use: "id" }),
    metadata: noPkce
  },
  keycloak: {
    title: "Keycloak",
    confidence: "seen",
    issuer: "https://id.todos.test/realms/todos",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      ...times(content),
      jti: content.id,
      iss: content.issuer,
      aud: content.audience,
      sub: uuid(subjectOrClient(content)),
      typ: "Bearer",
      azp: content.clientId,
      realm_access: { roles: ["default-roles-todos"] },
      resource_access: { account: { roles: ["view-profile"] } },
      scope: scope(content),
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
    claims: textbook
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
      ...times(content),
      jti: content.id,
      client_id: content.clientId,
      // The scopes of the sign-in. The permissions of a user are in `permissions`.
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
      ...times(content),
      nbf: content.issuedAt,
      scope: scope(content)
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
      ...times(content),
      scope: scope(content)
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
      sub: subjectOrClient(content),
      aud: typeof content.audience === "string" ? [content.audience] : content.audience,
      client_id: content.clientId,
      ...times(content),
      scope: scope(content)
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
      ...times(content),
      jti: content.id,
      scope: scope(content)
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
      sub: uuid(content.subject),
      aud: "authenticated",
      ...times(content),
      role: "authenticated",
      client_id: content.clientId
    })
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
      ...times(content),
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
    opaque: ({ id }) => random(id, 96),
    header: {},
    claims: (content) => ({
      iss: content.issuer,
      sub: content.subject,
      aud: typeof content.audience === "string" ? [content.clientId, content.audience] : content.audience,
      client_id: content.clientId,
      ...times(content),
      scope: scope(content)
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
      uid: random(content.id, 40),
      ...times(content),
      scope: scope(content)
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
      sub: subjectOrClient(content),
      aud: typeof content.audience === "string" ? [content.audience] : content.audience,
      client_id: content.clientId,
      ...times(content),
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
    opaque: ({ id }) => `ory_at_${random(id, 43)}.${random(`${id}.`, 43)}`,
    header: {},
    claims: (content) => ({ ...textbook(content), jti: undefined }),
    metadata: { introspection_endpoint: undefined }
  },
  pingone: {
    title: "PingOne",
    confidence: "documented",
    issuer: "https://auth.pingone.eu/2f8d3b1c-7a64-4d0e-9c55-8e1f6a2b3c4d/as",
    algorithm: "RS256",
    header: {},
    claims: (content) => ({
      ...textbook(content),
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
    opaque: ({ id }) => random(id, 64, "0123456789abcdef"),
    header: {},
    claims: (content) => ({ scope: scope(content), client_id: content.clientId, ...times(content) })
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
      ...times(content),
      nbf: content.issuedAt
    })
  },
  "oidc-provider": {
    title: "oidc-provider, JWT access tokens",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    header: { typ: "at+jwt" },
    claims: textbook
  },
  "better-auth": {
    title: "better-auth",
    confidence: "seen",
    issuer: "https://todos.test/api/auth",
    algorithm: "EdDSA",
    header: { typ: "at+jwt" },
    claims: (content) => ({
      ...textbook(content),
      // With `openid` the userinfo endpoint is an audience as well.
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
    claims: (content) => ({ ...textbook(content), nbf: content.issuedAt, type: "access_token" }),
    jwk: { use: undefined }
  },
  lemonldap: {
    title: "LemonLDAP::NG",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    header: { typ: "JWT" },
    claims: (content) => ({
      ...textbook(content),
      aud: typeof content.audience === "string" ? [content.clientId, content.audience] : content.audience
    }),
    // The audience of the access token is the same, so the audience does not distinguish them.
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
      properties: { id: content.subject },
      aud: content.clientId,
      iss: content.issuer,
      sub: `user:${random(content.subject, 16, "0123456789abcdef")}`,
      exp: content.expiresAt
    }),
    metadata: noPkce
  },
  "django-oauth-toolkit": {
    title: "Django OAuth Toolkit",
    confidence: "seen",
    issuer: "https://id.todos.test/o",
    algorithm: "RS256",
    opaque: ({ id }) => random(id, 30),
    header: {},
    claims: (content) => ({
      client_id: content.clientId,
      username: content.machine ? undefined : content.subject,
      exp: content.expiresAt,
      scope: scope(content)
    }),
    metadata: { ...noPkce, introspection_endpoint: undefined }
  },
  doorkeeper: {
    title: "Doorkeeper",
    confidence: "seen",
    issuer: "https://id.todos.test",
    algorithm: "RS256",
    opaque: ({ id }) => random(id, 43),
    header: {},
    claims: (content) => ({ scope: scope(content), client_id: content.clientId, ...times(content) }),
    metadata: noPkce
  },
  salesforce: {
    title: "Salesforce",
    confidence: "general-knowledge",
    issuer: "https://login.salesforce.com",
    algorithm: "RS256",
    // The exclamation mark is outside the grammar of the Bearer scheme.
    opaque: ({ id }) => `00D${random(id, 12)}!${random(`${id}!`, 96)}`,
    header: {},
    claims: (content) => ({ ...textbook(content), jti: undefined })
  }
} as const satisfies Readonly<Record<string, TokenShape>>

/**
 * The name of a shape.
 *
 * @category models
 * @since 0.1.0
 */
export type Provider = keyof typeof table

/**
 * The shapes, by provider.
 *
 * @category constants
 * @since 0.1.0
 */
export const shapes: Readonly<Record<Provider, TokenShape>> = table

/**
 * The names of the shapes.
 *
 * @category constants
 * @since 0.1.0
 */
export const providers: ReadonlyArray<Provider> = Object.keys(table) as Array<Provider>

/**
 * Creates the claims of an ID token in the shape of a provider, for the same user and the client.
 *
 * @category constructors
 * @since 0.1.0
 */
export const idTokenClaims = (shape: TokenShape, content: Content): Members => ({
  iss: content.issuer,
  sub: shape.claims(content)["sub"] ?? content.subject,
  aud: content.clientId,
  ...times(content),
  nonce: random(content.id, 22),
  ...shape.idToken?.(content)
})
