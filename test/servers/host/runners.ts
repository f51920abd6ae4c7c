import { Effect, Layer, Logger, ManagedRuntime, Result } from "effect"
import { AuthLayer, Decision } from "effect-mcp-auth"
import { Gate, type Rejection } from "effect-mcp-auth/host"
import * as Runner from "../../../src/servers/host/Runner.ts"

/**
 * Creates a runner as the server adapters do, with the gate of `AuthLayer.mock`. `reported` resolves with the reason of the first
 * rejection that the gate reports. The gate reports later than it rejects, because it loads the texts of explanations on demand.
 */
export const makeRunner = async () => {
  let report: (reason: string | undefined) => void = () => {}
  const reported = new Promise<string | undefined>((resolve) => {
    report = resolve
  })
  const runtime = ManagedRuntime.make(Layer.mergeAll(
    AuthLayer.mock({ scopes: ["a"] }),
    Layer.succeed(Decision.DecisionListener, ({ reason }) => Effect.sync(() => report(reason))),
    Logger.layer([])
  ) as unknown as Layer.Layer<Gate.AuthLayer>)
  const gate = await runtime.runPromise(Gate.AuthLayer)
  return { reported, runner: Runner.make(gate, runtime) }
}

/** Returns the reason of a rejection, or `"admitted"`. */
export const reasonOf = (result: Result.Result<unknown, Rejection.Rejection>): string =>
  Result.isFailure(result) ? result.failure.reason : "admitted"
