import type { JsonObject } from "../../protocol/Json.ts"
import type { ScopeSource, Tolerance } from "../../verification/claims/Claims.ts"
import type { Rules } from "../../verification/claims/Rules.ts"
import type { AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"
import type { Principal } from "../../verification/Principal.ts"
import type * as TokenHeader from "../../verification/token-header/TokenHeader.ts"
import type { Input } from "../AllowedOrigins.ts"
import type { Request } from "../Caller.ts"
import type { Explanation } from "../Explanation.ts"
import type { ProtectedResource } from "../ProtectedResource.ts"
import type { Rejection } from "../Rejection.ts"

/* The data from which rejections are explained. */

/** The comparison of an explanation. */
export type Comparison = Omit<Explanation, "advice">

/** The parts of the configuration that explanations name. A gate for tests has none of them. */
export interface Setup {
  readonly servers?: ReadonlyArray<AuthorizationServer<any>> | undefined
  /** Returns the authorization server of an `iss` value. */
  readonly serverOf?: ((issuer: string) => AuthorizationServer<any> | undefined) | undefined
  readonly rules?: Rules | undefined
  /** Whether the scheme `ApiKey` of `Authorization` is accepted. */
  readonly hasKeyScheme?: boolean | undefined
  /** The header that contains access tokens, and the party that sets it. */
  readonly tokenHeader?: Pick<TokenHeader.Mechanism, "name" | "setBy" | "linesOf"> | undefined
  readonly tolerance?: Tolerance | undefined
  /** The claims of a token whose authorization server has no profile. */
  readonly standards?: {
    readonly clientIds: ReadonlyArray<string>
    readonly subjects: ReadonlyArray<string>
    readonly scopes: ReadonlyArray<ScopeSource>
  } | undefined
  /** Returns the `kid` values of the cached keys of an authorization server. Sends no request. */
  readonly keyIds?: ((server: AuthorizationServer<any>) => ReadonlyArray<string>) | undefined
  readonly allowedOrigins?: Input | undefined
  readonly allowNullOrigin?: boolean | undefined
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

/** The decoded parts of an unverified token or proof. They are empty if it cannot be decoded. */
export interface ReadToken {
  /** In characters. */
  readonly length: number
  readonly segments: number
  readonly header: JsonObject
  /** The claims of the JWT, or of the introspection response about the token. */
  readonly claims: JsonObject
  /** The error of the author's decoder, if it rejected the claims. */
  readonly cause?: unknown
}

/** A rejected request. */
export interface RejectedRequest {
  readonly rejection: Rejection
  readonly request: Request
  /** The resource that rejected the request: that of the tenant, or the configured one. */
  readonly resource: ProtectedResource | undefined
  readonly principal: Principal | undefined
  /** The wall clock time, in milliseconds. */
  readonly now: number
  readonly token: ReadToken | undefined
  readonly proof: ReadToken | undefined
}
