/**
 * Checks a server whose kind is not given.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Check from "../provider/check/Check.ts"
import * as Doctor from "../provider/doctor/Doctor.ts"
import { identify } from "../provider/facts/Identify.ts"
import { detectKind } from "../provider/probe/DetectKind.ts"
import { shown } from "../provider/report/Json.ts"
import type * as Report from "../provider/report/Report.ts"
import type { Revision } from "../provider/report/Rule.ts"
import * as ServerReport from "../provider/report/ServerReport.ts"

/**
 * The options of the check.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly revision: Revision
  /** Called before each step that can take seconds. Default: does nothing. */
  readonly onStep?: ((step: string) => Effect.Effect<void>) | undefined
}

/**
 * Detects whether a URL is an authorization server or an MCP server, and checks it as such. An issuer of a known provider is an
 * authorization server, even if it publishes no metadata. If the URL is neither, the report fails.
 *
 * @category runners
 * @since 0.1.0
 */
export const run = (
  url: string,
  { onStep = () => Effect.void, revision }: Options
): Effect.Effect<Report.Report, Check.Unreachable | Check.InvalidInput, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      return yield* new Check.InvalidInput({
        detail: `${shown(url)} is not the URL of a server. Write one such as https://auth.example.com`
      })
    }
    const target = new URL(url)
    if (target.username !== "" || target.password !== "") {
      return yield* new Check.InvalidInput({ detail: "The URL contains a user name or a password. Leave them out" })
    }
    yield* onStep(`detecting what ${target.host} is`)
    const found = yield* detectKind(target, revision)
    switch (found._tag) {
      case "NoResponse":
        return yield* new Check.Unreachable({ url, detail: found.detail })
      case "Kind":
        return yield* found.kind === "mcp-server"
          ? Doctor.run(url, { revision, onStep })
          : Check.run(url, { revision, onStep })
      case "Neither":
        return identify(url) === undefined
          ? ServerReport.fromNeither({ url, revision, now: yield* Clock.currentTimeMillis }, found.detail)
          : yield* Check.run(url, { revision, onStep })
    }
  })
