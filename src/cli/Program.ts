/**
 * Runs the command for a list of arguments and returns its exit code. Starts and ends no process, so tests can call it.
 *
 * @since 0.1.0
 */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import { sanitizeLines } from "../protocol/RemoteText.ts"
import { root } from "./Commands.ts"
import { ExitCode } from "./ExitCode.ts"

/**
 * Runs the command and returns its exit code: 0 if every MUST that applies passes, 1 if one fails, 2 if the check is
 * inconclusive, 64 if the command line is invalid.
 *
 * @category runners
 * @since 0.1.0
 */
export const run = (args: ReadonlyArray<string>, version: string) =>
  Effect.gen(function*() {
    const code = yield* Ref.make(0)
    return yield* Command.runWith(root, { version })(args).pipe(
      Effect.provideService(ExitCode, code),
      Effect.andThen(Ref.get(code)),
      Effect.catchTags({
        Unreachable: (error) => Effect.as(Console.error(`effect-mcp-auth: inconclusive: ${error.message}`), 2),
        InvalidInput: (error) => Effect.as(Console.error(`effect-mcp-auth: ${error.message}`), 64)
      }),
      Effect.catch((error) =>
        CliError.isCliError(error)
          ? Effect.succeed(64)
          : Effect.as(Console.error(`effect-mcp-auth: ${sanitizeLines(String(error))}`), 2)
      )
    )
  })
