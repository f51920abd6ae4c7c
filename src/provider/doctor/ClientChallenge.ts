import * as Result from "effect/Result"
import * as Challenge from "../../protocol/Challenge.ts"
import { shown } from "../report/Json.ts"

/** The parameters that a client reads from a challenge. */
export interface ChallengeParameters {
  readonly resourceMetadata: string | undefined
  readonly scope: string | undefined
  readonly error: string | undefined
}

const names = { resourceMetadata: "resource_metadata", scope: "scope", error: "error" } as const

/**
 * Parses a challenge as both official clients do: splits at spaces, requires Bearer as the first word, and takes the first
 * `name=value` anywhere. These clients ignore the grammar, so they can read a parameter in the text of `error_description`.
 */
export const parseAsOfficialClients = (header: string): ChallengeParameters | undefined => {
  const [scheme, rest] = header.split(" ")
  if (scheme?.toLowerCase() !== "bearer" || rest === undefined || rest === "") return undefined
  const take = (name: string): string | undefined => {
    const found = new RegExp(`${name}=(?:"([^"]+)"|([^\\s,]+))`).exec(header)
    return found?.[1] ?? found?.[2]
  }
  const url = take(names.resourceMetadata)
  return {
    resourceMetadata: url !== undefined && URL.canParse(url) ? url : undefined,
    scope: take(names.scope),
    error: take(names.error)
  }
}

/** Parses a challenge by RFC 9110. Returns `undefined` for a malformed header or one without a Bearer challenge. */
export const parseAsStandard = (header: string): ChallengeParameters | undefined => {
  const parsed = Challenge.parse(header)
  if (Result.isFailure(parsed)) return undefined
  const bearer = parsed.success.find(({ scheme }) => scheme.toLowerCase() === "bearer")
  if (bearer === undefined) return undefined
  const take = (name: string) => bearer.parameters.get(name)
  return { resourceMetadata: take(names.resourceMetadata), scope: take(names.scope), error: take(names.error) }
}

/** Describes which parameters of a challenge the official clients read differently than RFC 9110. */
export const describeDifferences = (header: string): ReadonlyArray<string> => {
  const standard = parseAsStandard(header)
  const official = parseAsOfficialClients(header)
  if (standard === undefined) return ["the header does not follow the grammar of RFC 9110"]
  if (official === undefined) {
    return standard.resourceMetadata === undefined && standard.scope === undefined && standard.error === undefined
      ? []
      : ["the clients read no parameter: the header must begin with Bearer, one space and the first parameter"]
  }
  return (Object.keys(names) as ReadonlyArray<keyof typeof names>).flatMap((key) =>
    standard[key] === official[key]
      ? []
      : [
        `${names[key]} is ${shown(standard[key] ?? "absent", 80)}, and the clients read ${
          shown(official[key] ?? "nothing", 80)
        }`
      ]
  )
}
