import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import type { Admit, Candidate } from "../Admit.ts"
import type { Person } from "../grants/Grants.ts"
import type { IdTokenRejected, Verify } from "./IdToken.ts"
import type { Upstream } from "./Preset.ts"
import type { UpstreamToken } from "./UpstreamLeg.ts"
import { Rejected, type Unavailable, type UpstreamRequests } from "./UpstreamRequests.ts"

/* Identifies the person of a token, and applies the rule of admission. */

/** Reports that a response does not identify a person, or identifies another one. */
export class Unidentified extends Data.TaggedError("Unidentified")<{ readonly rule: string }> {}

/** Reports that the rule of admission could not decide. */
export class Undecided extends Data.TaggedError("Undecided")<{}> {}

/** A token, and what the proxy knows about its person before the identification. */
export interface Known {
  readonly accessToken: UpstreamToken
  /** An ID token of the same response. */
  readonly idToken: string | undefined
  /** The nonce of the sign-in. */
  readonly nonce: string | undefined
  /** The claims of the sign-in, at a refresh. */
  readonly claims: JsonObject | undefined
}

/** Identifies and admits people. */
export interface Identification {
  /** Identifies the person of a token. */
  readonly identify: (
    known: Known
  ) => Effect.Effect<Candidate, Rejected | Unavailable | IdTokenRejected | Unidentified>
  /** Applies the rule of admission. */
  readonly admit: (candidate: Candidate) => Effect.Effect<boolean, Rejected | Undecided>
}

/** The separator of the name of an upstream and the id of a person. No name of an upstream contains it. */
const separator = "|"

/** An id has at most 255 visible ASCII characters, as `sub` (OpenID Connect Core §2). */
const ids = /^[\x21-\x7e]{1,255}$/

/** Creates the identification. `verify` verifies ID tokens, if the upstream issues them. */
export const make = <S extends string, R>(
  upstream: Upstream<S>,
  admit: Admit<R>,
  requests: UpstreamRequests,
  verify: Verify | undefined
): Effect.Effect<Identification, never, R> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    const { name, quirks } = upstream

    /** A function of the author can throw. */
    const identifyOrNothing = (claims: JsonObject) => {
      try {
        return quirks.identify(claims)
      } catch {
        return undefined
      }
    }

    const toCandidate = (claims: JsonObject, email: unknown, token: UpstreamToken) => {
      const found = identifyOrNothing(claims)
      if (found === undefined || typeof found.id !== "string" || !ids.test(found.id)) {
        return Effect.fail(new Unidentified({ rule: "the response has no usable id" }))
      }
      const display = typeof found.display === "string" && found.display !== ""
        ? sanitize(found.display, 64)
        : undefined
      const person: Person = { subject: `${name}${separator}${found.id}`, display }
      return Effect.succeed<Candidate>({ person, email: typeof email === "string" ? email : undefined, claims, token })
    }

    /** Asks the user endpoint, whose response must be an object. */
    const askUser = (url: string, token: UpstreamToken) =>
      Effect.flatMap(
        requests.ask(url, token),
        ({ json }) =>
          isRecord(json)
            ? Effect.succeed(json)
            : Effect.fail(new Unidentified({ rule: "the user endpoint returns no user" }))
      )

    const verifiedEmail = (claims: JsonObject): unknown =>
      own(claims, "email_verified") === true ? own(claims, "email") : undefined

    /** The claims of the ID token, else of the userinfo endpoint, else of the sign-in. */
    const openIdClaims = Effect.fnUntraced(function*({ accessToken, claims, idToken, nonce }: Known) {
      if (idToken !== undefined) return yield* verify!({ idToken, accessToken, nonce })
      if (claims === undefined) return yield* new Unidentified({ rule: "the token response has no ID token" })
      const { user } = yield* requests.endpoints
      if (user === undefined) return claims
      const found = yield* askUser(user, accessToken)
      // The response is bound to the person only by `sub` (OpenID Connect Core §5.3.2).
      if (own(found, "sub") === own(claims, "sub")) return found
      return yield* new Unidentified({ rule: "the userinfo endpoint returns another sub" })
    })

    return {
      identify: Effect.fnUntraced(function*(known) {
        const { accessToken } = known
        if (verify !== undefined) {
          const claims = yield* openIdClaims(known)
          return yield* toCandidate(claims, verifiedEmail(claims), accessToken)
        }
        const { emails, user } = yield* requests.endpoints
        const claims = yield* askUser(user!, accessToken)
        const addresses = admit.usesEmail && emails !== undefined
          ? (yield* requests.ask(emails, accessToken)).json
          : undefined
        const primary = Array.isArray(addresses)
          ? addresses.find((each) => own(each, "primary") === true && own(each, "verified") === true)
          : undefined
        return yield* toCandidate(claims, own(primary, "email"), accessToken)
      }),
      admit: (candidate) =>
        Effect.flatMap(
          requests.endpoints,
          ({ user }) => admit.decide(candidate, { tenant: upstream.tenant, userEndpoint: user, ask: requests.ask })
        ).pipe(
          Effect.provideContext(context),
          // A rule of the author can throw. It must neither admit the person nor end the grant.
          Effect.catchDefect(() => Effect.fail(new Undecided())),
          Effect.mapError((error) => error instanceof Rejected ? error : new Undecided())
        )
    }
  })
