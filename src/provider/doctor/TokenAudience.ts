import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as ResourceIdentifier from "../../protocol/ResourceIdentifier.ts"
import { type Json, member, shown, strings, text } from "../report/Json.ts"
import * as TokenText from "../token/TokenText.ts"

/** The audience of a token, compared with a server. The claims are not verified. */
export interface TokenAudience {
  /**
   * `"own"`: `aud` contains the resource. `"foreign"`: `aud` contains the URL of another resource, and not this one. `"named"`:
   * `aud` contains no URL, but a name such as `api://todos` or the id of a client, which can mean this server. `"none"`: the
   * token has no `aud`. `"unreadable"`: only the authorization server can read the token.
   */
  readonly kind: "own" | "foreign" | "named" | "none" | "unreadable"
  /** The values of `aud`. */
  readonly audiences: ReadonlyArray<string>
  /** The reason for which every server rejects the token, whether it checks the audience or not. `undefined` if the claims show none. */
  readonly flaw: string | undefined
}

/** A resource server and its authorization servers, as its metadata name them. */
export interface Expected {
  /** The URL of the server, and the resource of its metadata. */
  readonly resources: ReadonlyArray<string>
  readonly issuers: ReadonlyArray<string>
  /** In milliseconds since 1970. */
  readonly now: number
}

/** Compares the claims of a token with a resource. */
export const getTokenAudience = (token: Redacted.Redacted, expected: Expected): TokenAudience => {
  const decoded = TokenText.decode(token)
  if (Result.isFailure(decoded)) return { kind: "unreadable", audiences: [], flaw: undefined }
  const { claims } = decoded.success
  const aud = text(claims, "aud")
  const audiences = aud === undefined ? strings(claims, "aud") ?? [] : [aud]
  const isOwn = audiences.some((audience) =>
    expected.resources.some((resource) => ResourceIdentifier.isSame(audience, resource))
  )
  return {
    kind: isOwn ? "own" : audiences.length === 0 ? "none" : audiences.some(isUrl) ? "foreign" : "named",
    audiences,
    flaw: describeFlaw(claims, expected)
  }
}

const isUrl = (audience: string): boolean => /^https?:\/\//i.test(audience)

const describeFlaw = (claims: Json, { issuers, now }: Expected): string | undefined => {
  const { exp, iss, nbf } = claims
  if (typeof exp === "number" && exp * 1000 <= now) return `it expired: ${TokenText.describeTime(exp, now)}`
  if (typeof nbf === "number" && nbf * 1000 > now) return `it is not valid yet: ${TokenText.describeTime(nbf, now)}`
  if (member(claims, "cnf") !== undefined) return "it is bound to a key (cnf), and doctor sends no proof"
  return issuers.length > 0 && !issuers.some((issuer) => issuer === iss)
    ? `its issuer is ${shown(iss)}, which the metadata do not name`
    : undefined
}
