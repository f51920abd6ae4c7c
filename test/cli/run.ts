import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Stdio, Stream, Terminal } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { TerminalCapabilities } from "effect/cli"
import { TestConsole } from "effect/testing"
import * as Program from "../../src/cli/Program.ts"

export const issuer = "https://issuer.test"

export interface Exit {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command against an issuer in memory. */
export const run = (
  args: ReadonlyArray<string>,
  { color = false, columns = 0, issuer: url = issuer, prepare, stdin = "" }: {
    /** 0 stands for output without a terminal. */
    readonly columns?: number
    readonly issuer?: string
    readonly stdin?: string
    readonly color?: boolean
    readonly prepare?: (issuer: TestIssuer.TestIssuer["Service"]) => Effect.Effect<void>
  } = {}
): Effect.Effect<Exit> =>
  Effect.gen(function*() {
    if (prepare !== undefined) yield* prepare(yield* TestIssuer.TestIssuer)
    const code = yield* Program.run(args, "0.0.0")
    const text = (lines: ReadonlyArray<unknown>) => lines.map(String).join("\n")
    return { code, stdout: text(yield* TestConsole.logLines), stderr: text(yield* TestConsole.errorLines) }
  }).pipe(
    Effect.provide(Layer.mergeAll(
      TestIssuer.layer({ issuer: url }),
      NodeServices.layer,
      Layer.effect(
        Terminal.Terminal,
        Effect.map(Terminal.Terminal, (terminal) => Terminal.make({ ...terminal, columns: Effect.succeed(columns) }))
      ).pipe(Layer.provide(NodeServices.layer)),
      Layer.fresh(TestConsole.layer),
      Stdio.layerTest({
        stdin: Stream.succeed(new TextEncoder().encode(stdin)),
        stdinIsTerminal: Effect.succeed(false),
        stderrIsTerminal: Effect.succeed(false)
      }),
      Layer.succeed(TerminalCapabilities.TerminalCapabilities, { canColor: color, canAnimate: false, canPrompt: false })
    ))
  )
