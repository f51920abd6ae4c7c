/**
 * Reads the arguments of an operation in the way the SDK reads them before it calls the handler. Scopes can depend on these
 * arguments.
 */
import * as Effect from "effect/Effect"
import type { Operation } from "../../protocol/Operation.ts"

/**
 * Returns the arguments of an operation as the handler of its registration receives them. Fails if the SDK itself rejects the
 * arguments.
 */
export type ReadArguments = (
  registration: object,
  operation: Pick<Operation, "kind" | "params" | "target">
) => Effect.Effect<unknown, unknown>

/** Parses arguments with a schema of one SDK. Fails if they do not match. */
export type ParseArguments<Schema> = (schema: Schema, given: unknown) => Effect.Effect<unknown, unknown>

/** The schemas that the SDKs keep in registrations of tools and prompts. */
interface Registered<Schema> {
  readonly inputSchema?: Schema | undefined
  readonly argsSchema?: Schema | undefined
}

/** Creates a function that reads the arguments of an operation. `parse` checks them with a schema of one SDK. */
export const makeReader =
  <Schema>(parse: ParseArguments<Schema>): ReadArguments => (registration, { kind, params, target }) => {
    if (kind === "resource") return Effect.try(() => new URL(target!))
    const { argsSchema, inputSchema } = registration as Registered<Schema>
    const schema = kind === "tool" ? inputSchema : argsSchema
    if (schema === undefined) return Effect.succeed(undefined)
    return parse(schema, (params as { readonly arguments?: unknown }).arguments ?? {})
  }
