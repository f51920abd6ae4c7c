/**
 * The exit code of the process if the command ends without an error. A rule that fails is not an error.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Ref from "effect/Ref"

/**
 * @category services
 * @since 0.1.0
 */
export class ExitCode extends Context.Service<ExitCode, Ref.Ref<number>>()("effect-mcp-auth/cli/ExitCode") {}
