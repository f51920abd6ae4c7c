#!/usr/bin/env node
/**
 * Starts the command `effect-mcp-auth`.
 *
 * @since 0.1.0
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"
import manifest from "../../package.json" with { type: "json" }
import * as Network from "./Network.ts"
import * as Program from "./Program.ts"

const Platform = TerminalCapabilities.layer.pipe(
  Layer.provideMerge(NodeServices.layer),
  Layer.merge(Network.layer())
)

Effect.gen(function*() {
  const args = yield* (yield* Stdio.Stdio).args
  return yield* Program.run(args, manifest.version)
}).pipe(
  Effect.provide(Platform),
  NodeRuntime.runMain({
    // `Program.run` turns errors into exit codes, so any other exit is an interruption. 130 is the usual code after Ctrl-C.
    teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? Number(exit.value) : 130)
  })
)
