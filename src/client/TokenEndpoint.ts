import * as Effect from "effect/Effect"
import type { Proof } from "../outbound/ClientAuthentication.ts"
import * as EndpointGuard from "../outbound/EndpointGuard.ts"
import { type Fetcher, isRedirect } from "../outbound/Fetcher.ts"
import * as FormPost from "../outbound/FormPost.ts"
import type { AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import type { BoundKey } from "./BoundKey.ts"
import { type AuthorizationDenied, type Mismatch, Unavailable } from "./ClientError.ts"
import { redirected } from "./Redirect.ts"
import * as TokenResponse from "./TokenResponse.ts"

/* Requests tokens at token endpoints. Protects each authorization server from too many requests. */

/** A request to a token endpoint. */
export interface EndpointRequest {
  readonly issuer: string
  readonly endpoint: string
  readonly parameters: ReadonlyArray<readonly [name: string, value: string]>
  readonly proof: Proof
}

/** A request for an access token. */
export interface TokenRequest extends Omit<EndpointRequest, "proof"> {
  /** Creates the proof of the client. A request that is sent again has another one, because an assertion is valid once. */
  readonly proof: Effect.Effect<Proof, Mismatch>
  /** The key that the token is bound to. */
  readonly key: BoundKey | undefined
  /** The requested scopes. The token has them if the response names no others (RFC 6749 §5.1). */
  readonly scopes: ReadonlyArray<string>
}

/** Sends a request for a token. Fails with `Unavailable` during an outage. */
export type RequestToken = (
  request: TokenRequest
) => Effect.Effect<TokenResponse.Issued & Pick<TokenRequest, "key">, Unavailable | Mismatch | AuthorizationDenied>

/** Sends a request to a token endpoint. Fails with `Unavailable` during an outage, and with `Mismatch` if it is redirected. */
export type Post = (request: EndpointRequest) => Effect.Effect<FormPost.Answered, Unavailable | Mismatch>

/** The number of authorization servers whose outages are known at the same time. */
const maximumServers = 64

/** Creates the function that requests access tokens. */
export const make = (fetcher: Fetcher["Service"]): RequestToken => {
  const post = makePost(fetcher)
  return Effect.fnUntraced(function*({ key, proof, scopes, ...request }) {
    const { endpoint, issuer } = request
    const send = Effect.gen(function*() {
      const { headers, parameters } = yield* proof
      if (key === undefined) return yield* post({ ...request, proof: { headers, parameters } })
      const dpop = yield* key.prove({ method: "POST", url: endpoint })
      const answered = yield* post({ ...request, proof: { headers: { ...headers, dpop }, parameters } })
      key.acceptNonce(endpoint, answered.headers["dpop-nonce"])
      return answered
    })
    const first = yield* send
    const answered = key !== undefined && requiresNonce(first) ? yield* send : first
    const type = key === undefined ? "Bearer" : "DPoP"
    const issued = yield* Effect.fromResult(TokenResponse.read(answered, issuer, scopes, type))
    return { ...issued, key }
  })
}

/** Tells whether a server asks for a nonce, and names it (RFC 9449 §8). */
const requiresNonce = (answered: FormPost.Answered): boolean =>
  (answered.status === 400 || answered.status === 401) && answered.headers["dpop-nonce"] !== undefined &&
  TokenResponse.errorOf(FormPost.readObject(answered)) === "use_dpop_nonce"

/** Creates the function that sends requests to token endpoints. */
export const makePost = (fetcher: Fetcher["Service"]): Post => {
  const guards = new Map<string, EndpointGuard.EndpointGuard>()

  const guardOf = (issuer: string) =>
    Effect.suspend(() => {
      const known = guards.get(issuer)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(
        EndpointGuard.make({ issuer, endpoint: "The token endpoint", option: "the option grant" }),
        (made) => {
          if (guards.size >= maximumServers) guards.clear()
          guards.set(issuer, made)
          return made
        }
      )
    })

  return Effect.fnUntraced(function*({ endpoint, issuer, parameters, proof }) {
    const guard = yield* guardOf(issuer)
    const answered = yield* guard.protect(
      "verified",
      FormPost.postForm(fetcher, {
        url: endpoint,
        accept: "application/json",
        proof,
        parameters,
        reads: [401, 403, "redirect"]
      }, { issuer, allowInsecureHttp: false })
    ).pipe(
      Effect.mapError((error: AuthorizationServerUnavailable) =>
        new Unavailable({ detail: error.message, retryAfter: error.retryAfter })
      )
    )
    if (isRedirect(answered.status)) {
      return yield* redirected(endpoint, answered.headers["location"])
    }
    return answered
  })
}
