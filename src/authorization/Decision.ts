/**
 * What the gate decided, for logs and audits.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Operation } from "../protocol/Operation.ts"
import type { Principal } from "../verification/Principal.ts"
import type { Refusal } from "./Refusal.ts"

/**
 * One decision. It holds no token, and no claim beyond issuer, subject and client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decision {
  readonly outcome: "admitted" | "refused"
  /** The status of the answer; 200 for an admitted request, whatever the handler makes of it. */
  readonly status: number
  /** The closed reason of a refusal. */
  readonly reason: string | undefined
  readonly issuer: string | undefined
  readonly subject: string | undefined
  readonly clientId: string | undefined
  /** Such as `tools/call add_todo`; empty where the gate did not come to read the body. */
  readonly operations: ReadonlyArray<string>
  readonly required: ReadonlyArray<string>
  readonly missing: ReadonlyArray<string>
}

/**
 * Hears every decision. By default nobody does.
 *
 * **Gotchas**
 *
 * The request waits for the listener. Hand work over to a queue.
 *
 * @category references
 * @since 0.1.0
 */
export const DecisionListener: Context.Reference<(decision: Decision) => Effect.Effect<void>> = Context.Reference<
  (decision: Decision) => Effect.Effect<void>
>("effect-mcp-auth/DecisionListener", { defaultValue: () => () => Effect.void })

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly refusal: Refusal | undefined
  readonly principal: Principal["Service"] | undefined
  readonly operations: ReadonlyArray<Operation>
  readonly required: ReadonlyArray<string>
}): Decision => ({
  outcome: options.refusal === undefined ? "admitted" : "refused",
  status: options.refusal?.status ?? 200,
  reason: options.refusal?.reason,
  issuer: options.principal?.issuer,
  subject: options.principal?.subject,
  clientId: options.principal?.clientId,
  operations: options.operations.map(({ method, target }) => target === undefined ? method : `${method} ${target}`),
  required: options.required,
  missing: options.required.filter((scope) => options.principal?.scopes.has(scope) !== true)
})

/**
 * Logs a decision and tells the listener.
 *
 * **Details**
 *
 * A request without credentials is how every sign-in begins and is logged at debug level; other refusals at info, an
 * unreachable authorization server at warning, a misconfiguration at error.
 *
 * @category logging
 * @since 0.1.0
 */
export const report = (decision: Decision, refusal: Refusal | undefined): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const told = fiber.getRef(DecisionListener)(decision)
    return refusal === undefined ? told : Effect.andThen(log(decision, refusal), told)
  })

const log = (decision: Decision, { error, reason, status }: Refusal): Effect.Effect<void> => {
  const line = `request refused with ${status}: ${reason}`
  const annotations = Object.fromEntries(
    Object.entries(decision).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
  )
  const level = status === 503
    ? Effect.logWarning(line, error?.message)
    : status === 500
    ? Effect.logError(line, error?.message)
    : error?._tag === "MissingCredentials"
    ? Effect.logDebug(line)
    : Effect.logInfo(line)
  return Effect.annotateLogs(level, annotations)
}
