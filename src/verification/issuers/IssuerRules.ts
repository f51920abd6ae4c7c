import * as Result from "effect/Result"
import type { InvalidToken, InvalidTokenReason } from "../../protocol/AuthError.ts"
import * as Audience from "../claims/Audience.ts"
import {
  type Claims,
  own,
  readClientId,
  readScopes,
  readSubject,
  reject,
  type Subject,
  type Tolerance,
  toleranceOf
} from "../claims/Claims.ts"
import { readRoles } from "../claims/Roles.ts"
import type { Rules } from "../claims/Rules.ts"
import * as TokenType from "../claims/TokenType.ts"
import * as Profile from "./Profile.ts"
import type { TokenTraits } from "./TokenTraits.ts"

/** The rules of the configuration for all authorization servers. The profile of each server provides missing values. */
export interface General extends Rules {
  /** The subject claims of the introspection options. Default: those of the profile. */
  readonly subjectClaims?: Profile.Profile["subjectClaims"] | undefined
  /** The machine marks of the introspection options. Default: those of the profile. */
  readonly machineMarks?: Profile.Profile["machineMarks"] | undefined
}

/** The rules for the tokens of one authorization server. */
export interface IssuerRules extends Pick<Rules, "effectiveScopes" | "tenant"> {
  readonly tolerance: Tolerance
  readonly tokenType: (typ: unknown, claims: Claims) => InvalidTokenReason | undefined
  /** Checks the audience. */
  readonly isAddressed: (token: Audience.Addressed) => boolean
  readonly clientId: (claims: Claims) => Result.Result<string | undefined, InvalidToken>
  /** Returns the subject, or `undefined` for a token that was issued to a program for itself. */
  readonly subject: (claims: Claims, clientId: string | undefined) => Result.Result<Subject | undefined, InvalidToken>
  readonly scopes: (claims: Claims) => Result.Result<ReadonlySet<string>, InvalidToken>
  readonly roles: (claims: Claims) => ReadonlySet<string>
  /**
   * Returns the accepted values of the member `issuer` of a key. The argument is the `iss` value of the token that the key
   * verifies. Returns `undefined` if the member is not checked.
   */
  readonly keyIssuers: (issuer: string) => ReadonlyArray<string> | undefined
}

/** Compiles the rules of one authorization server. */
export const compile = (server: { readonly profile: TokenTraits | undefined }, general: General): IssuerRules => {
  const { profile } = server
  const tokenType = general.tokenType ?? profile?.tokenType ?? TokenType.standard()
  const tenants = profile?.tenants
  const clientIdClaims = profile?.clientIdClaims ?? Profile.standardClientIds
  const subjectClaims = general.subjectClaims ?? profile?.subjectClaims ?? Profile.standardSubjects
  const machineMarks = general.machineMarks ?? profile?.machineMarks ?? []
  const sources = profile?.scopes.sources ?? Profile.standardScopes
  const roles = general.roles ?? profile?.roles ?? []
  const prefix = profile?.scopes.grantedPrefix
  return {
    tolerance: toleranceOf(general.clockTolerance),
    effectiveScopes: general.effectiveScopes,
    tenant: general.tenant,
    tokenType: (typ, claims) => {
      // All access tokens of this provider are opaque, so a JWT of this provider is another kind of token.
      if (profile?.opaque.issued === "always") return "token-type"
      const wrong = TokenType.checkKind(tokenType, typ, claims, profile?.accessTokenMarks)
      if (wrong !== undefined || profile === undefined) return wrong
      if (profile.idTokenMarks.some((mark) => hasMark(claims, mark))) return "id-token"
      if (!profile.accessTokenMarks.every((mark) => hasMark(claims, mark))) return "token-type"
      // The tenant claim must match the tenant in `iss`.
      return tenants === undefined || own(claims, tenants.claim) === Profile.tenantOf(tenants, claims["iss"] as string)
        ? undefined
        : "tenant"
    },
    isAddressed: Audience.compile(general.audience ?? profile?.audience ?? Audience.resource, general.resource),
    clientId: (claims) => readClientId(claims, clientIdClaims),
    subject: (claims, clientId) => {
      const claim = subjectClaims.find((_) => Object.hasOwn(claims, _))
      const isMachine = clientId !== undefined &&
        machineMarks.some((mark) =>
          hasMark(claims, mark) && (claim === undefined || (mark.hasEmptySubject === true && claims[claim] === ""))
        )
      if (isMachine) return Result.succeed(undefined)
      return claim === undefined ? reject("subject") : readSubject(claims, claim)
    },
    scopes: (claims) => Result.map(readScopes(claims, sources), (scopes) => withoutPrefix(scopes, prefix)),
    roles: (claims) => readRoles(claims, roles, general.reportRoles),
    keyIssuers: (issuer) => {
      const tenant = tenants === undefined ? undefined : Profile.tenantOf(tenants, issuer)
      return tenants === undefined || tenant === undefined
        ? undefined
        : tenants.issuers.flatMap((template) => [template, Profile.withTenant(template, tenant)])
    }
  }
}

const hasMark = (claims: Claims, { claim, values }: Profile.Mark): boolean => {
  const value = own(claims, claim)
  return value !== undefined && (values === undefined || (typeof value === "string" && values.includes(value)))
}

const withoutPrefix = (scopes: ReadonlySet<string>, prefix: string | undefined): ReadonlySet<string> =>
  prefix === undefined
    ? scopes
    // The prefix alone is not a scope.
    : new Set([...scopes].filter((_) => _.startsWith(prefix) && _ !== prefix).map((_) => _.slice(prefix.length)))
