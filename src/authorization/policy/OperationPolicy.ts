/**
 * The policy of an operation, as the gate enforces it. This module is separate from `Policy.ts`, so that server adapters for
 * platforms without Effect do not load `effect/Schema`.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Principal } from "../../verification/Principal.ts"
import type { Call, Condition } from "./Condition.ts"
import type { Granted, Verdict } from "./Verdict.ts"

/**
 * The policy of an operation: what it requires of its caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface OperationPolicy<S extends string = string> {
  /** The required scopes. The caller needs all of them. Empty if there is a `rule`. */
  readonly scopes: ReadonlyArray<S>
  /**
   * The response to a caller that the policy does not admit: a challenge that names scopes (`"challenge"`), a 403 without a
   * challenge (`"deny"`), or the response for an operation that does not exist (`"hide"`).
   */
  readonly unauthorized: Unauthorized
  /** Whether the operation needs a principal even without scopes. Default: `false`. */
  readonly authenticated?: boolean | undefined
  /** A policy that is more than a list of scopes. It determines everything that the operation requires. */
  readonly rule?: BoundPolicy | undefined
}

/**
 * The response to a caller that the policy of an operation does not admit.
 *
 * @category models
 * @since 0.1.0
 */
export type Unauthorized = "challenge" | "deny" | "hide"

/**
 * The policy of an operation, as an option. By default an operation requires no scopes and no principal.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyInput<S extends string = string>
  extends Partial<{ readonly [K in "scopes" | "authenticated"]: OperationPolicy<S>[K] | undefined }>
{}

/**
 * A policy that is bound to a server and a registration.
 *
 * @category models
 * @since 0.1.0
 */
export interface BoundPolicy {
  /** Whether it also admits anonymous callers. */
  readonly isOpen: boolean
  /** The alternatives. If several have the same cost for a caller, the first one counts. */
  readonly alternatives: ReadonlyArray<BoundAlternative>
  /** The scopes that each caller is asked for at sign-in, and those that they imply. */
  readonly baseline: ReadonlySet<string>
  readonly server: Server
  readonly services: Context.Context<never>
  readonly decode: Decode
  readonly evaluator: Evaluator
}

/**
 * An alternative of a bound policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface BoundAlternative {
  /** All scopes, in the order of the server's list. A challenge names them. */
  readonly scopes: ReadonlyArray<string>
  /** The scopes that no other one of `scopes` implies. A caller with these has all of `scopes`. */
  readonly core: ReadonlyArray<string>
  readonly conditions: ReadonlyArray<Condition>
  /** The number of scopes that `core` implies. */
  readonly power: number
  /** The last place of the scopes in the server's list. */
  readonly place: number
  /** The verdict about callers who satisfy this alternative. It is made once, because most calls end with it. */
  readonly granted: Granted
}

/**
 * The scopes of a server. A `ProtectedResource` has these members.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server {
  readonly baseline: ReadonlyArray<string>
  /** All offered scopes, the mildest first. */
  readonly offered: ReadonlySet<string>
  /** Returns some scopes and all scopes that they imply. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
  /** Whether callers can have roles. Default: `true`. */
  readonly hasRoles?: boolean | undefined
}

/**
 * The values that the registration of an operation gives to the checks of its policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registration {
  /** The services that checks use. Services of the request take precedence, as they do for handlers. Default: none. */
  readonly services?: Context.Context<never> | undefined
  /** Decodes the arguments of a call. A failure means that they are invalid. Default: the arguments are not changed. */
  readonly decode?: Decode | undefined
}

/**
 * Decodes the arguments of a call.
 *
 * @category models
 * @since 0.1.0
 */
export type Decode = (raw: unknown) => Effect.Effect<unknown, unknown>

/**
 * The functions that evaluate policies. Each bound policy has them, so a server whose operations require only lists of scopes does
 * not load them.
 *
 * **Details**
 *
 * Each function returns its result without an Effect if no check has to run. The Effect of a check that throws, dies, fails or
 * rejects dies.
 *
 * `request` identifies the request of the caller: each check of the caller runs once for each request. Without it, nothing is
 * shared.
 *
 * @category models
 * @since 0.1.0
 */
export interface Evaluator {
  /**
   * Returns the verdict about callers who satisfy a policy with their scopes, roles and claims, or `undefined` if that is not known
   * without further evaluation. It allocates nothing.
   */
  readonly findGranted: (policy: BoundPolicy, principal: Principal | undefined) => Granted | undefined
  /** Decides about all operations of a request. The gate calls it. */
  readonly decideBatch: (batch: Batch) => BatchVerdict | Effect.Effect<BatchVerdict>
  /** Evaluates a policy for one call, inside a server. Takes the results of the checks that the gate ran for this request. */
  readonly evaluateCall: (
    policy: BoundPolicy,
    principal: Principal | undefined,
    call: Call,
    request: object | undefined
  ) => Verdict | Effect.Effect<Verdict>
  /** Evaluates a policy for a list. Checks of calls do not run. */
  readonly evaluateList: (
    policy: BoundPolicy,
    principal: Principal | undefined,
    request: object | undefined
  ) => ListVerdict | Effect.Effect<ListVerdict>
  /**
   * Returns a policy without its checks of calls, which count as passed. Use it for operations that are not calls, such as the
   * completion of an argument.
   */
  readonly withoutCallChecks: (policy: BoundPolicy) => BoundPolicy
  /** Combines policies of one server: the caller must satisfy all of them. */
  readonly allOf: (policies: readonly [BoundPolicy, ...ReadonlyArray<BoundPolicy>]) => BoundPolicy
  /** Returns the scopes that the challenge to sign in names for an operation with this policy, in addition to the baseline. */
  readonly scopesOfSignIn: (policy: BoundPolicy) => ReadonlyArray<string>
}

/**
 * The question whether a caller satisfies a policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface Question {
  readonly policy: BoundPolicy
  /** `undefined` for an anonymous caller. */
  readonly principal: Principal | undefined
  /** The scopes that count as granted. Default: the effective scopes of the principal. */
  readonly held?: ReadonlySet<string> | undefined
  readonly call: Call
  /** The known results of conditions. The evaluation adds the results of the checks that it runs. */
  readonly answers: Answers
  /** Replaces the results of all checks of the call: `false` for the worst case, `true` for the best case. */
  readonly assumed?: boolean | undefined
}

/**
 * The known results of conditions, by the key of the condition.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answers {
  /** Results about the caller. They are valid for the whole request. */
  readonly caller: Map<unknown, boolean>
  /** The failures of checks of the caller, by the key of the condition. They are valid for the whole request. */
  readonly failed: Map<unknown, Effect.Effect<never>>
  /** Results about one call. */
  readonly call: Map<unknown, boolean>
  /** The decoded arguments of the call, once a check has read them. */
  decoded?: Effect.Effect<unknown> | undefined
}

/**
 * The verdict of a policy before there is a call: all calls are granted, some are, or none is.
 *
 * @category models
 * @since 0.1.0
 */
export type ListVerdict = "all" | "some" | "none"

/**
 * The operations of a request, with their policies.
 *
 * @category models
 * @since 0.1.0
 */
export interface Batch {
  readonly entries: ReadonlyArray<{ readonly policy: OperationPolicy; readonly call: Call }>
  readonly principal: Principal | undefined
  readonly request: object
  /**
   * Whether the verdict is `Hidden` if an operation is hidden from the caller. Otherwise the server answers such an operation as if
   * it did not exist.
   */
  readonly rejectsHidden: boolean
}

/**
 * The verdict about a request. `Hidden` means that the caller must not learn whether one of the operations exists.
 *
 * @category models
 * @since 0.1.0
 */
export type BatchVerdict = Verdict | { readonly _tag: "Hidden" }

/**
 * A security scheme, in the form of `securitySchemes` on tools.
 *
 * @category models
 * @since 0.1.0
 */
export type SecurityScheme =
  | { readonly type: "noauth" }
  | { readonly type: "oauth2"; readonly scopes: ReadonlyArray<string> }

/**
 * Returns whether a policy hides its operation from a caller. For that caller the operation does not exist.
 *
 * @category guards
 * @since 0.1.0
 */
export const isHiddenFrom = (policy: OperationPolicy, principal: Principal | undefined): boolean =>
  policy.unauthorized === "hide" && policy.scopes.some((scope) => principal?.scopes.has(scope) !== true)
