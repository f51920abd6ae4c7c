/**
 * The options of `check` and `decode` that concern a token.
 *
 * @since 0.1.0
 */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { InvalidInput } from "../provider/check/Check.ts"
import type * as TokenReport from "../provider/token/TokenReport.ts"
import * as Secret from "./Secret.ts"

/** An ISO 8601 time with its time zone. Without a zone, the result would depend on the machine. */
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/

/** Parses a time in ISO 8601, or in seconds since 1970 as in tokens. Returns milliseconds since 1970. */
const parseTime = (text: string): Option.Option<number> => {
  const millis = /^\d{1,12}$/.test(text) ? Number(text) * 1000 : isoTime.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(millis) ? Option.none() : Option.some(millis)
}

/**
 * The time at which a token is checked, in milliseconds since 1970.
 *
 * @category flags
 * @since 0.1.0
 */
export const at = Flag.String("at").pipe(
  Flag.withDescription(
    "The time at which the token is checked, such as 2026-11-23T12:00:00Z or 1795435200. Default: now"
  ),
  Flag.withMetavar("time"),
  Flag.filterMap(
    parseTime,
    () => "a time with its zone, such as 2026-11-23T12:00:00Z, or seconds since 1970"
  ),
  Flag.optional
)

/**
 * The options of `check` that describe the MCP server of a token.
 *
 * @category flags
 * @since 0.1.0
 */
export const recipient = {
  resource: Flag.String("resource").pipe(
    Flag.withDescription("The URL of the MCP server that the token is for. Required with check --token"),
    Flag.withMetavar("url"),
    Flag.optional
  ),
  audience: Flag.String("audience").pipe(
    Flag.withDescription(
      "A value of aud that means your MCP server and no other server. Repeat it for several values. Default: the resource"
    ),
    Flag.withMetavar("value"),
    Flag.atLeast(0)
  ),
  client: Flag.String("client").pipe(
    Flag.withDescription(
      "A client that you control, for providers whose tokens have no audience. Repeat it for several clients"
    ),
    Flag.withMetavar("id"),
    Flag.atLeast(0)
  ),
  at
}

interface Flags {
  readonly resource: Option.Option<string>
  readonly audience: ReadonlyArray<string>
  readonly client: ReadonlyArray<string>
  readonly at: Option.Option<number>
}

/**
 * Fails if a flag is set that has no effect without a token.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkUnused = (flags: Flags): Effect.Effect<void, InvalidInput> => {
  const unused = [
    ...(Option.isSome(flags.resource) ? ["--resource"] : []),
    ...(flags.audience.length > 0 ? ["--audience"] : []),
    ...(flags.client.length > 0 ? ["--client"] : []),
    ...(Option.isSome(flags.at) ? ["--at"] : [])
  ]
  return unused.length === 0
    ? Effect.void
    : Effect.fail(
      new InvalidInput({ detail: `missing option: --token. Without it, ${unused.join(" and ")} would have no effect` })
    )
}

/**
 * Reads the token, and turns the flags into the options of `TokenReport.run`. Fails if `--resource` is not a URL.
 *
 * @category getters
 * @since 0.1.0
 */
export const read = Effect.fnUntraced(function*(
  token: Option.Option<Redacted.Redacted>,
  flags: Flags
) {
  if (Option.isNone(flags.resource) || !URL.canParse(flags.resource.value)) {
    return yield* new InvalidInput({
      detail: "missing option: --resource URL. --token requires the URL of the MCP server, as clients write it"
    })
  }
  const options: Omit<TokenReport.Options, "issuer" | "revision"> = {
    resource: flags.resource.value,
    audiences: flags.audience,
    clientIds: flags.client,
    at: Option.getOrUndefined(flags.at)
  }
  return { token: yield* Secret.read(token), options }
})
