/**
 * The command, without the process around it: arguments in, an exit code out.
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
 * What the command ends with: 0 it fits, 1 it does not, 2 that could not be told, 64 the command line is wrong.
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
        Unreachable: (error) => Effect.as(Console.error(`effect-mcp-auth: cannot tell: ${error.message}`), 2),
        NotUsable: (error) => Effect.as(Console.error(`effect-mcp-auth: ${error.message}`), 64)
      }),
      Effect.catch((error) =>
        CliError.isCliError(error)
          ? Effect.succeed(64)
          : Effect.as(Console.error(`effect-mcp-auth: ${sanitizeLines(String(error))}`), 2)
      )
    )
  })
