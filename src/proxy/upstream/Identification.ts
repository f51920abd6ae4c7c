import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { sha256 } from "../../crypto/Sha256.ts"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import type { Admit, Candidate, OnRejection, Rejection } from "../Admit.ts"
import type { Person } from "../grants/Grants.ts"
import type { IdTokenRejected, Verify } from "./IdToken.ts"
import type { ReadUpstream, Server } from "./Preset.ts"
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
  /** Applies the rule of admission. Reports a rejection. */
  readonly admit: (
    candidate: Candidate,
    during: Rejection["during"]
  ) => Effect.Effect<boolean, Rejected | Undecided>
  /** Returns the subject of the person with an id at the upstream. */
  readonly subjectOf: (id: string) => string
}

/** The separator of the parts of a subject. Neither a name of an upstream nor a hash contains it. */
const separator = "|"

/** The length of the hash of the issuer in a subject: 48 bits. It prevents mistakes. Only the operator chooses an issuer, so no attacker can search for a collision. */
const hashLength = 8

/**
 * Returns the party that gives people their ids: the issuer of an OpenID provider, and the origin of any other user endpoint. If an
 * upstream moves to another one, an id can belong to another person there.
 */
const authorityOf = (server: Server): string =>
  server.type === "openid" ? server.issuer : new URL(server.userEndpoint).origin

/** Replaces addresses in a log, except for their first character and their domain. */
const withoutAddresses = (text: string): string => text.replace(/([^\s@|])[^\s@|]*@/g, "$1…@")

/** An id has at most 255 visible ASCII characters, as `sub` (OpenID Connect Core §2). */
const ids = /^[\x21-\x7e]{1,255}$/

export interface Options<R> {
  readonly upstream: ReadUpstream
  readonly admit: Admit<R>
  readonly onRejection: OnRejection | undefined
  readonly requests: UpstreamRequests
  /** Verifies ID tokens, if the upstream issues them. */
  readonly verify: Verify | undefined
}

/** Creates the identification. */
export const make = <R>(
  { admit, onRejection, requests, upstream, verify }: Options<R>
): Effect.Effect<Identification, never, R> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<R>()
    const { name, quirks } = upstream
    const hash = (yield* sha256(authorityOf(upstream.server))).slice(0, hashLength)
    const subjectOf = (id: string) => [name, hash, id].join(separator)

    const report = (rejection: Rejection) =>
      Effect.logWarning(
        `Admit.${rejection.rule} rejects ${withoutAddresses(rejection.subject)} at the ${rejection.during}: ${
          withoutAddresses(rejection.reason)
        }`
      ).pipe(
        Effect.andThen(Effect.suspend(() => onRejection?.(rejection) ?? Effect.void)),
        Effect.catchCause((cause) => Effect.logError("The listener of rejections failed", cause))
      )

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
      const person: Person = { subject: subjectOf(found.id), display }
      return Effect.succeed<Candidate>({
        person,
        id: found.id,
        email: typeof email === "string" ? email : undefined,
        claims,
        token
      })
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
      subjectOf,
      admit: (candidate, during) =>
        Effect.flatMap(
          requests.endpoints,
          ({ user }) => admit.decide(candidate, { tenant: upstream.tenant, userEndpoint: user, ask: requests.ask })
        ).pipe(
          Effect.provideContext(context),
          // A rule of the author can throw. It must neither admit the person nor end the grant.
          Effect.catchDefect(() => Effect.fail(new Undecided())),
          Effect.mapError((error) => error instanceof Rejected ? error : new Undecided()),
          Effect.flatMap((decision) =>
            decision === true ? Effect.succeed(true) : Effect.as(
              report({ upstream: name, subject: candidate.person.subject, rule: admit.name, reason: decision, during }),
              false
            )
          )
        )
    }
  })
