/**
 * Adapts bound policies to registrations: their checks receive the call as the handler receives it.
 */
import * as Effect from "effect/Effect"
import type { Call } from "../../authorization/policy/Condition.ts"
import type { BoundPolicy } from "../../authorization/policy/OperationPolicy.ts"
import { normalizeUri } from "./Lookup.ts"
import type { ReadArguments } from "./SdkArguments.ts"

/** The kinds of registrations. */
export type Kind = "tool" | "prompt" | "resource"

/** Arguments that the SDK has decoded. A client cannot send such an object. */
class Decoded {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

/**
 * Returns the rule of a registration. Its checks receive the arguments that the schema of the registration decodes, and the URI of
 * a resource in the form in which the SDKs compare it. Otherwise a check could be bypassed with another spelling.
 */
export const make = (
  bound: BoundPolicy,
  kind: Kind,
  registration: () => object,
  readArguments: ReadArguments
): BoundPolicy =>
  kind === "resource" ? { ...withNormalizedUris(bound), decode: () => Effect.undefined } : {
    ...bound,
    decode: (given) =>
      given instanceof Decoded
        ? Effect.succeed(given.value)
        : Effect.suspend(() => readArguments(registration(), { kind, target: undefined, params: { arguments: given } }))
  }

const withNormalizedUris = (bound: BoundPolicy): BoundPolicy => ({
  ...bound,
  alternatives: bound.alternatives.map((alternative) => ({
    ...alternative,
    conditions: alternative.conditions.map((condition) =>
      condition.dependsOn !== "call" ? condition : {
        ...condition,
        test: (principal, call) =>
          condition.test(principal, { ...call, target: normalizeUri(call.target) ?? call.target })
      }
    )
  }))
})

const methods: Readonly<Record<Kind, string>> = {
  tool: "tools/call",
  prompt: "prompts/get",
  resource: "resources/read"
}

/** Returns the call of a handler. `first` is the first parameter of the handler: the decoded arguments, or the URI. */
export const callOf = (kind: Kind, name: string, first: unknown): Call => ({
  method: methods[kind],
  target: kind === "resource" ? String(first) : name,
  arguments: kind === "resource" ? undefined : new Decoded(first)
})
