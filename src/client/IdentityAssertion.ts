import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Discovery from "../outbound/Discovery.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import * as FormPost from "../outbound/FormPost.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import { own } from "../protocol/Json.ts"
import { type AssertionSource, read } from "./AssertionSource.ts"
import { AuthorizationDenied, type ClientError, Mismatch } from "./ClientError.ts"
import * as clientProof from "./ClientProof.ts"
import { option, type ParametersFor } from "./GrantContent.ts"
import * as serverDiscovery from "./ServerDiscovery.ts"
import * as TokenEndpoint from "./TokenEndpoint.ts"
import { errorOf, isToken } from "./TokenResponse.ts"

/* Obtains an ID-JAG from an identity provider, and uses it as the grant of a token request. */

/** The `grant_type` of a request whose grant is an assertion (RFC 7523 §2.1). */
export const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

const tokenType = "urn:ietf:params:oauth:token-type:"

const idJag = `${tokenType}id-jag`

/** The kinds of tokens that an identity provider exchanges for an ID-JAG. */
export const subjectTokenTypes = ["id_token", "refresh_token", "saml2"] as const

/** The settings with which a grant obtains ID-JAGs. */
export interface Settings {
  readonly identityProvider: string
  readonly credentials: clientProof.Credentials
  readonly subjectToken: AssertionSource<void>
  readonly subjectTokenType: typeof subjectTokenTypes[number]
}

/**
 * Creates the function that obtains a new ID-JAG for each token request, because an authorization server accepts an ID-JAG only
 * once.
 */
export const connect = Effect.fnUntraced(function*(
  { credentials, identityProvider, subjectToken, subjectTokenType }: Settings,
  fetcher: Fetcher.Fetcher["Service"]
): Effect.fn.Return<ParametersFor, AuthConfigError, Scope.Scope> {
  const path = `${option}.identityProvider`
  yield* clientProof.check(credentials, path)
  const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, fetcher)
  const source = serverDiscovery.sourceOf(identityProvider)
  const post = TokenEndpoint.makePost(fetcher)
  return Effect.fnUntraced(function*({ issuer, resource, scopes }) {
    const subject = yield* read(subjectToken, undefined, `${option}.subjectToken`)
    const provider = yield* serverDiscovery.fetchServer(discovery, source, [])
    const methods = provider.token_endpoint_auth_methods_supported
    const answered = yield* post({
      issuer: identityProvider,
      endpoint: provider.token_endpoint!,
      proof: yield* clientProof.make(credentials, { issuer: identityProvider, methods }, path),
      parameters: [
        ["grant_type", tokenExchange],
        ["requested_token_type", idJag],
        ["subject_token", subject],
        ["subject_token_type", `${tokenType}${subjectTokenType}`],
        ["audience", issuer],
        ["resource", resource],
        ...(scopes.length === 0 ? [] : [["scope", scopes.join(" ")] as const])
      ]
    })
    return [["grant_type", jwtBearer], ["assertion", yield* readIdJag(answered, identityProvider)]]
  })
})

/** Reads the response of an identity provider. Its `token_type` says nothing, because an ID-JAG is not an access token. */
const readIdJag = (answered: FormPost.Answered, issuer: string): Effect.Effect<string, ClientError> => {
  const answer = FormPost.readObject(answered)
  const denied = (code: string) => Effect.fail(new AuthorizationDenied({ reason: "token-request", issuer, code }))
  if (answered.status !== 200) return denied(errorOf(answer) ?? String(answered.status))
  const type = own(answer, "issued_token_type")
  if (type !== idJag) {
    return Effect.fail(new Mismatch({ what: "token-type", expected: idJag, found: String(type).slice(0, 128) }))
  }
  const assertion = own(answer, "access_token")
  return isToken(assertion) ? Effect.succeed(assertion) : denied("no access_token")
}
