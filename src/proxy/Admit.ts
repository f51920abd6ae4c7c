/**
 * Decides which people of an upstream may use the server. There is no default: `Admit.anyone` must be written out.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Types from "effect/Types"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { type JsonObject, own } from "../protocol/Json.ts"
import type { Person } from "./grants/Grants.ts"
import type { Kind } from "./upstream/Preset.ts"
import type { UpstreamToken } from "./upstream/UpstreamLeg.ts"
import type { Rejected, Unavailable, UserResponse } from "./upstream/UpstreamRequests.ts"

/**
 * Identifies rules of admission.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/proxy/Admit"

/**
 * A person who signed in at the upstream, or whose grant is refreshed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Candidate {
  readonly person: Person
  /** The immutable id of the person at the upstream. It is the last part of the subject. */
  readonly id: string
  /** An e-mail address that the upstream has verified. `undefined` unless the rule is `emailDomain`, or the claims contain it. */
  readonly email: string | undefined
  /** The claims of the verified ID token, or the response of the user endpoint. */
  readonly claims: JsonObject
  /** The access token of the upstream, for requests to its API. */
  readonly token: UpstreamToken
}

/**
 * The parts of an upstream that rules use.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdmitContext {
  readonly tenant: string | undefined
  readonly userEndpoint: string | undefined
  readonly ask: (url: string, token: UpstreamToken) => Effect.Effect<UserResponse, Rejected | Unavailable>
}

/**
 * A rule of admission. `R` are the services that it needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Admit<out R = never> {
  readonly [TypeId]: { readonly _R: Types.Covariant<R> }
  /** The name of the rule in errors. */
  readonly name: string
  /** The upstreams that the rule works with. `undefined`: all. */
  readonly kinds: ReadonlyArray<Kind> | undefined
  /** The upstream scopes that the rule needs. */
  readonly scopes: (kind: Kind) => ReadonlyArray<string>
  readonly usesEmail: boolean
  /** Returns `true`, or the reason of a rejection for the log. Fails if the rule cannot decide at the moment. */
  readonly decide: (candidate: Candidate, context: AdmitContext) => Effect.Effect<true | string, unknown, R>
}

/**
 * Describes a rejection by the rule of admission. It contains no token.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  /** The name of the upstream. */
  readonly upstream: string
  /** The subject of the person, which contains the id at the upstream. */
  readonly subject: string
  /** The name of the rule, such as `githubOrganization`. */
  readonly rule: string
  /** Why the rule rejects the person, in words for the operator. */
  readonly reason: string
  /** Whether the person signed in, or a grant of the person was refreshed, which then ended. */
  readonly during: "sign-in" | "refresh"
}

/**
 * Receives rejections. A listener that fails changes no result.
 *
 * @category models
 * @since 0.1.0
 */
export type OnRejection = (rejection: Rejection) => Effect.Effect<void>

const make = <R = never>(
  members: Pick<Admit<R>, "name" | "decide"> & Partial<Pick<Admit<R>, "kinds" | "scopes" | "usesEmail">>
): Admit<R> => ({
  [TypeId]: { _R: (_) => _ },
  kinds: undefined,
  scopes: () => [],
  usesEmail: false,
  ...members
})

/**
 * Admits everyone with an account at the upstream. At GitHub and Google, this is the whole Internet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const anyone: Admit = make({ name: "anyone", decide: () => Effect.succeed<true>(true) })

const domains = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/

const checkDomain = ConfigOption.rule(
  (value) => typeof value === "string" && domains.test(value),
  "a domain in lower case",
  "Write one such as \"acme.com\", without @"
)

/**
 * Admits people whose verified e-mail address belongs to a domain. Subdomains do not match.
 *
 * **Details**
 *
 * OpenID providers must send `email_verified` as `true`. At GitHub, the primary address must be verified; the sign-in also requests
 * the scope `user:email`. Entra ID verifies no address, so use `tenantMembers` there.
 *
 * **Example** (One domain)
 *
 * ```ts
 * import { Admit } from "effect-mcp-auth/proxy"
 *
 * const admit = Admit.emailDomain("acme.com")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const emailDomain = (domain: string): Admit => {
  checkDomain(domain, "Admit.emailDomain")
  return make({
    name: "emailDomain",
    kinds: ["github", "google", "oidc"],
    scopes: (kind) => [kind === "github" ? "user:email" : "email"],
    usesEmail: true,
    decide: ({ email }) =>
      Effect.succeed(
        email !== undefined && domainOf(email) === domain ||
          (email === undefined
            ? "the upstream has verified no e-mail address"
            : `the domain of the verified e-mail address is ${domainOf(email) ?? "unclear"}, and not ${domain}`)
      )
  })
}

/** Returns the domain of an address, if it is ASCII: the lower case of some other letters is an ASCII letter. */
const domainOf = (email: string): string | undefined =>
  /^[^@]+@([\x21-\x3f\x41-\x7e]+)$/.exec(email)?.[1]!.toLowerCase()

/**
 * Admits accounts of a Google Workspace domain, by the claim `hd`. An account that only has an e-mail address of the domain has no such
 * claim.
 *
 * **Example** (One Workspace)
 *
 * ```ts
 * import { Admit } from "effect-mcp-auth/proxy"
 *
 * const admit = Admit.hostedDomain("acme.com")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const hostedDomain = (domain: string): Admit => {
  checkDomain(domain, "Admit.hostedDomain")
  return make({
    name: "hostedDomain",
    kinds: ["google"],
    decide: ({ claims }) =>
      Effect.succeed(own(claims, "hd") === domain || `the account does not belong to the Workspace of ${domain}`)
  })
}

/**
 * Admits active members of a GitHub organization.
 *
 * **Details**
 *
 * An OAuth app also requests the scope `read:org`. A GitHub App needs the organization permission "Members: read". The name of an
 * organization can be given to another one after a rename, so pass its numeric `id` as well.
 *
 * **Example** (One organization)
 *
 * ```ts
 * import { Admit } from "effect-mcp-auth/proxy"
 *
 * const admit = Admit.githubOrganization("acme", { id: 9919 })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const githubOrganization = (organization: string, options: OrganizationOptions = {}): Admit => {
  ConfigOption.rule(
    (value) => typeof value === "string" && /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/.test(value),
    "the name of a GitHub organization",
    "Write it as in the URL of the organization"
  )(organization, "Admit.githubOrganization")
  ConfigOption.check(options, "Admit.githubOrganization", organizationTable)
  const { id } = options
  return make({
    name: "githubOrganization",
    kinds: ["github"],
    scopes: () => ["read:org"],
    decide: ({ token }, { ask, userEndpoint }) =>
      Effect.map(ask(`${userEndpoint}/memberships/orgs/${organization}`, token), ({ json }) => {
        const found = own(json, "organization")
        const name = own(found, "login")
        const isMember = own(json, "state") === "active" &&
          typeof name === "string" && name.toLowerCase() === organization.toLowerCase()
        if (!isMember) {
          // GitHub also hides an organization that does not allow the app.
          return `GitHub shows no active membership in ${organization}. The organization must also allow the app`
        }
        return id === undefined || own(found, "id") === id || `the organization ${organization} has another id`
      })
  })
}

/**
 * The options of `githubOrganization`.
 *
 * @category models
 * @since 0.1.0
 */
export interface OrganizationOptions {
  /** The numeric id of the organization. Default: only the name is checked. */
  readonly id?: number | undefined
}

const organizationTable: ConfigOption.Table<keyof OrganizationOptions> = {
  id: ConfigOption.rule(
    (value) => Number.isSafeInteger(value) && value > 0,
    "the numeric id of an organization",
    "Copy it from https://api.github.com/orgs/NAME"
  )
}

/**
 * Admits members of the tenant of Entra ID, and no guests.
 *
 * **Details**
 *
 * Guests have the `tid` of the host tenant, so the claim `acct` decides: it must be 0. The claim is optional: add `acct` to the ID token
 * of the app registration, under Token configuration. Without the claim, the rule admits no one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tenantMembers: Admit = make({
  name: "tenantMembers",
  kinds: ["entra"],
  decide: ({ claims }, { tenant }) =>
    Effect.succeed(
      tenant !== undefined && own(claims, "tid") === tenant && own(claims, "acct") === 0 ||
        (own(claims, "acct") === undefined
          ? "the ID token has no claim acct. Add it under Token configuration of the app registration"
          : "the account is a guest, or belongs to another tenant")
    )
})

/**
 * Admits a person if an effect returns `true` for the candidate.
 *
 * **Details**
 *
 * The services of the effect become requirements of the proxy. If the effect fails, the rule cannot decide: a sign-in fails, and a
 * refresh counts as an outage, so the grant lives.
 *
 * **Example** (People in a database)
 *
 * ```ts
 * import { Admit } from "effect-mcp-auth/proxy"
 * import { Context, Effect } from "effect"
 *
 * class Members extends Context.Service<Members, {
 *   readonly contains: (subject: string) => Effect.Effect<boolean>
 * }>()("app/Members") {}
 *
 * const admit = Admit.custom(({ person }) => Effect.flatMap(Members, (members) => members.contains(person.subject)))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const custom = <E, R>(decide: (candidate: Candidate) => Effect.Effect<boolean, E, R>): Admit<R> => {
  ConfigOption.functionThat("returns an Effect of a boolean")(decide, "Admit.custom")
  return make({
    name: "custom",
    decide: (candidate) => Effect.map(decide(candidate), (is) => is === true || "the function returned false")
  })
}
