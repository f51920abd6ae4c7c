/**
 * Runs the command for a list of arguments and returns its exit code. Starts and ends no process, so tests can call it.
 *
 * @since 0.1.0
 */
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { sanitize } from "../protocol/RemoteText.ts"
import { root } from "./Commands.ts"
import { ExitCode } from "./ExitCode.ts"
import { makePresenter } from "./format/help.ts"
import { toWidth, wrap } from "./format/wrap.ts"

/**
 * Runs the command and returns its exit code: 0 if every MUST that applies passes, 1 if one fails, 2 if the check is
 * inconclusive, 64 if the command line is invalid. For `call`, 0 stands for a result, 1 for a rejected call.
 *
 * @category runners
 * @since 0.1.0
 */
export const run = (args: ReadonlyArray<string>, version: string) =>
  Effect.gen(function*() {
    const code = yield* Ref.make(0)
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    const width = toWidth(yield* (yield* Terminal.Terminal).columns)
    const stdio = yield* Stdio.Stdio
    // In a file or in another program's input, a message is one line, so that it can be searched.
    const isWrapped = yield* stdio.stderrIsTerminal
    const printError = (text: string) =>
      Console.error((isWrapped ? wrap(`effect-mcp-auth: ${text}`, width) : [`effect-mcp-auth: ${text}`]).join("\n"))
    return yield* Command.runWith(root, { version })(args).pipe(
      Effect.provideService(ExitCode, code),
      Effect.provideService(CliOutput.Presenter, makePresenter({ color: canColor, width })),
      // The command writes no logs.
      Effect.provideService(CliConfig.CliConfig, {
        builtIns: CliConfig.defaults.builtIns.filter((_) => _ !== GlobalFlag.LogLevel)
      }),
      Effect.andThen(Ref.get(code)),
      Effect.catchTags({
        Unreachable: (error) => Effect.as(printError(`inconclusive: ${error.message}`), 2),
        InvalidInput: (error) => Effect.as(printError(error.message), 64),
        CallFailed: (error) =>
          Effect.as(
            printError(`${error.isInconclusive ? "inconclusive: " : ""}${error.message}`),
            error.isInconclusive ? 2 : 1
          )
      }),
      Effect.catch((error) =>
        CliError.isCliError(error) ? Effect.succeed(64) : Effect.as(printError(sanitize(String(error), 600)), 2)
      ),
      Effect.catchDefect((defect) =>
        Effect.as(printError(`inconclusive: internal error: ${sanitize(String(defect), 600)}`), 2)
      )
    )
  })
