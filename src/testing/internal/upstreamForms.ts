/* The forms of upstreams: where their endpoints are, and how their responses look. */

/**
 * A form of an upstream.
 *
 * **Details**
 *
 * - `github`: a GitHub OAuth app. Its tokens do not expire, it keeps ten of them per person and scope set, and it reports errors with
 *   status 200.
 * - `rotating`: a GitHub App. Its tokens expire after eight hours, and each refresh token works once.
 * - `google`: an OpenID provider with opaque access tokens, whose refresh tokens do not rotate.
 * - `entra`: an OpenID provider that rejects `resource`, with the claims `tid`, `oid` and `acct`.
 * - `slow`: `rotating`, with a delay of three seconds before each response.
 * - `rejecting`: `google`, but each sign-in ends with `access_denied`, and each refresh with `invalid_grant`.
 *
 * @category models
 * @since 0.1.0
 */
export type Form = "github" | "rotating" | "google" | "entra" | "slow" | "rejecting"

/**
 * A person with an account at the upstream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Account {
  /** The numeric id at GitHub, and the source of `sub` and `oid` elsewhere. */
  readonly id: number
  readonly login: string
  readonly email: string
  /** Default: `true`. */
  readonly isEmailVerified?: boolean | undefined
  /** `hd` of a Google Workspace. Default: absent. */
  readonly hostedDomain?: string | undefined
  /** `acct` of Entra ID: 0 for a member, 1 for a guest. Default: absent, as without the optional claim. */
  readonly acct?: number | undefined
  /** The GitHub organizations of the person. Default: none. */
  readonly organizations?: ReadonlyArray<{ readonly login: string; readonly id: number }> | undefined
}

/** How a form behaves. */
export interface Traits {
  readonly isGitHub: boolean
  /** The path of the issuer of an OpenID provider. */
  readonly issuerPath: string
  readonly authorizePath: string
  readonly tokenPath: string
  readonly userPath: string
  /** The lifetime of access tokens, in seconds. */
  readonly lifetime: number | undefined
  readonly rotates: boolean
  readonly hasScopes: boolean
  /** How many tokens of a person and a scope set live. */
  readonly mostTokens: number
  readonly rejectsResource: boolean
  /** Whether the metadata name an endpoint that revokes tokens (RFC 7009). Entra ID has none. */
  readonly hasRevocation: boolean
  readonly refuses: boolean
}

/** The tenant of the form `entra`. */
export const tenant = "11111111-2222-3333-4444-555555555555"

const gitHub: Traits = {
  isGitHub: true,
  issuerPath: "/login/oauth",
  authorizePath: "/login/oauth/authorize",
  tokenPath: "/login/oauth/access_token",
  userPath: "/api/v3/user",
  lifetime: undefined,
  rotates: false,
  hasScopes: true,
  mostTokens: 10,
  rejectsResource: false,
  hasRevocation: false,
  refuses: false
}

const rotating: Traits = { ...gitHub, lifetime: 28_800, rotates: true, hasScopes: false }

const google: Traits = {
  isGitHub: false,
  issuerPath: "",
  authorizePath: "/authorize",
  tokenPath: "/token",
  userPath: "/userinfo",
  lifetime: 3_600,
  rotates: false,
  hasScopes: true,
  mostTokens: 100,
  rejectsResource: false,
  hasRevocation: true,
  refuses: false
}

const entra: Traits = {
  ...google,
  issuerPath: `/${tenant}/v2.0`,
  authorizePath: `/${tenant}/oauth2/v2.0/authorize`,
  tokenPath: `/${tenant}/oauth2/v2.0/token`,
  userPath: "/oidc/userinfo",
  rejectsResource: true,
  hasRevocation: false
}

export const traits: Readonly<Record<Form, Traits>> = {
  github: gitHub,
  rotating,
  slow: rotating,
  google,
  entra,
  rejecting: { ...google, refuses: true }
}

/** The claims of a person in ID tokens and at the userinfo endpoint. */
export const claimsOf = (form: Form, account: Account): Readonly<Record<string, unknown>> => ({
  sub: `sub-${account.id}`,
  email: account.email,
  ...(form === "entra"
    ? {
      tid: tenant,
      oid: `00000000-0000-4000-8000-${String(account.id).padStart(12, "0")}`,
      preferred_username: account.email,
      acct: account.acct
    }
    : { email_verified: account.isEmailVerified ?? true, hd: account.hostedDomain })
})

/** GitHub removes scopes that a wider one contains, and separates the rest with commas. */
export const grantedText = (form: Form, scopes: ReadonlyArray<string>): string => {
  if (!traits[form].hasScopes) return ""
  if (!traits[form].isGitHub) return scopes.join(" ")
  const isContained = (scope: string) =>
    (scopes.includes("user") && ["read:user", "user:email", "user:follow"].includes(scope)) ||
    (scopes.includes("repo") && ["public_repo", "repo:status"].includes(scope))
  return scopes.filter((scope) => !isContained(scope)).join(",")
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** The page on which a person signs in. */
export const loginPage = (accounts: ReadonlyArray<Account>, target: string): Response =>
  new Response(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title><h1>Sign in</h1>` +
      accounts.map(({ login }) =>
        `<form method="post" action="/test-login"><input type="hidden" name="to" value="${escape(target)}">` +
        `<button name="login" value="${escape(login)}">Sign in as ${escape(login)}</button></form>`
      ).join(""),
    { headers: { "content-type": "text/html; charset=utf-8" } }
  )
