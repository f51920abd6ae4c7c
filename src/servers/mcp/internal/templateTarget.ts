import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Call } from "../../../authorization/policy/Condition.ts"
import type { BoundPolicy } from "../../../authorization/policy/OperationPolicy.ts"
import * as TemplateIndex from "../../host/TemplateIndex.ts"

/*
 * Gives checks the URI of a template as its handler understands it. Effect's server ignores some differences between URIs, such as a
 * query, and decodes the parameters. A check that reads the URI of the client could read another parameter than the handler.
 */

/** Returns the URI with the parameters that the handler receives. Fails if they do not decode. */
type ToTarget = (uri: string) => Effect.Effect<string, unknown>

const makeToTarget = (segments: ReadonlyArray<string>, schemas: ReadonlyArray<Schema.Constraint>): ToTarget => {
  const router = TemplateIndex.makeRouter()
  router.on("GET", `/${TemplateIndex.routerPathFrom(segments)}`, true)
  const codec = Schema.Tuple(schemas.map((_) => Schema.toCodecStringTree(_))) as unknown as Schema.Codec<
    ReadonlyArray<unknown>,
    ReadonlyArray<string>
  >
  const [decode, encode] = [Schema.decodeUnknownEffect(codec), Schema.encodeEffect(codec)]
  return (uri) => {
    const params = router.find("GET", `/${uri}`)?.params
    if (params === undefined) return Effect.fail(uri)
    return decode(schemas.map((_, index) => params[String(index)])).pipe(
      Effect.flatMap(encode),
      Effect.map((encoded) =>
        segments.reduce((before, segment, index) => before + encodeParameter(encoded[index - 1]!) + segment)
      )
    )
  }
}

/** Encodes a parameter as a segment of a path, which can contain these characters (RFC 3986 §3.3). */
const encodeParameter = (text: string): string =>
  encodeURIComponent(text).replace(/%(?:40|3A|24|26|2B|2C|3D)/g, decodeURIComponent)

/** Returns the policy of a template. A check of a call whose parameters do not decode counts as one that does not hold. */
export const withTemplateTarget = (
  bound: BoundPolicy,
  segments: ReadonlyArray<string>,
  schemas: ReadonlyArray<Schema.Constraint>
): BoundPolicy => {
  const toTarget = makeToTarget(segments, schemas)
  return {
    ...bound,
    alternatives: bound.alternatives.map((alternative) => ({
      ...alternative,
      conditions: alternative.conditions.map((condition) =>
        condition.dependsOn !== "call" ? condition : {
          ...condition,
          test: (principal, call: Call) =>
            Effect.flatMap(Effect.result(toTarget(call.target)), (target) => {
              if (Result.isFailure(target)) return Effect.succeed(false)
              const answer = condition.test(principal, { ...call, target: target.success })
              return Effect.isEffect(answer) ? answer as Effect.Effect<boolean> : Effect.promise(async () => answer)
            })
        }
      )
    }))
  }
}
