import * as Result from "effect/Result"
import type { InvalidToken, InvalidTokenReason } from "../../protocol/AuthError.ts"
import * as Audience from "../claims/Audience.ts"
import { type Claims, own, readClientId, readScopes, readSubject, reject, type Subject } from "../claims/Claims.ts"
import * as TokenType from "../claims/TokenType.ts"
import * as Profile from "./Profile.ts"
import type { TokenTraits } from "./TokenTraits.ts"

/** What the configuration says for all authorization servers. What it leaves out, the profile of each server decides. */
export interface General {
  readonly resource: string
  readonly audience: Audience.Audience | undefined
  readonly tokenType: TokenType.TokenType | undefined
  /** What introspection says for itself; else the profile decides. */
  readonly subjectClaims?: Profile.Profile["subjectClaims"] | undefined
  readonly machineMarks?: Profile.Profile["machineMarks"] | undefined
}

/** How tokens of one authorization server are judged. */
export interface Rules {
  readonly tokenType: (typ: unknown, claims: Claims) => InvalidTokenReason | undefined
  readonly isAddressed: (token: Audience.Addressed) => boolean
  readonly clientId: (claims: Claims) => Result.Result<string | undefined, InvalidToken>
  /** `undefined` for a token that a program got for itself. */
  readonly subject: (claims: Claims, clientId: string | undefined) => Result.Result<Subject | undefined, InvalidToken>
  readonly scopes: (claims: Claims) => Result.Result<ReadonlySet<string>, InvalidToken>
  /** The `issuer` members that a key may have for a token of this issuer; `undefined`: the member means nothing here. */
  readonly keyIssuers: (issuer: string) => ReadonlyArray<string> | undefined
}

/** Prepares the rules of one authorization server. */
export const compile = (server: { readonly profile: TokenTraits | undefined }, general: General): Rules => {
  const { profile } = server
  const tokenType = general.tokenType ?? profile?.tokenType ?? TokenType.standard()
  const tenants = profile?.tenants
  const clientIdClaims = profile?.clientIdClaims ?? Profile.standardClientIds
  const subjectClaims = general.subjectClaims ?? profile?.subjectClaims ?? Profile.standardSubjects
  const machineMarks = general.machineMarks ?? profile?.machineMarks ?? []
  const sources = profile?.scopes.sources ?? Profile.standardScopes
  const prefix = profile?.scopes.grantedPrefix
  return {
    tokenType: (typ, claims) => {
      // Whatever JWTs such a provider signs, access tokens are not among them.
      if (profile?.opaque.issued === "always") return "token-type"
      const wrong = TokenType.judge(tokenType, typ, claims, profile?.accessTokenMarks)
      if (wrong !== undefined || profile === undefined) return wrong
      if (profile.idTokenMarks.some((mark) => bears(claims, mark))) return "id-token"
      if (!profile.accessTokenMarks.every((mark) => bears(claims, mark))) return "token-type"
      // The tenant that the token names must be the one that vouches for it.
      return tenants === undefined || own(claims, tenants.claim) === Profile.tenantOf(tenants, claims["iss"] as string)
        ? undefined
        : "tenant"
    },
    isAddressed: Audience.compile(general.audience ?? profile?.audience ?? Audience.resource, general.resource),
    clientId: (claims) => readClientId(claims, clientIdClaims),
    subject: (claims, clientId) => {
      const claim = subjectClaims.find((_) => Object.hasOwn(claims, _))
      if (claim !== undefined) return readSubject(claims, claim)
      return clientId !== undefined && machineMarks.some((mark) => bears(claims, mark))
        ? Result.succeed(undefined)
        : reject("subject")
    },
    scopes: (claims) => Result.map(readScopes(claims, sources), (scopes) => withoutPrefix(scopes, prefix)),
    keyIssuers: (issuer) => {
      const tenant = tenants === undefined ? undefined : Profile.tenantOf(tenants, issuer)
      return tenants === undefined || tenant === undefined
        ? undefined
        : tenants.issuers.flatMap((template) => [template, Profile.withTenant(template, tenant)])
    }
  }
}

const bears = (claims: Claims, { claim, values }: Profile.Mark): boolean => {
  const value = own(claims, claim)
  return value !== undefined && (values === undefined || (typeof value === "string" && values.includes(value)))
}

const withoutPrefix = (scopes: ReadonlySet<string>, prefix: string | undefined): ReadonlySet<string> =>
  prefix === undefined
    ? scopes
    : new Set([...scopes].filter((_) => _.startsWith(prefix)).map((_) => _.slice(prefix.length)))
