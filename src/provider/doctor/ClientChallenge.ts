import * as Result from "effect/Result"
import * as Challenge from "../../protocol/Challenge.ts"
import { shown } from "../report/Json.ts"

/** What a client takes out of a challenge. */
export interface Taken {
  readonly resourceMetadata: string | undefined
  readonly scope: string | undefined
  readonly error: string | undefined
}

const names = { resourceMetadata: "resource_metadata", scope: "scope", error: "error" } as const

/**
 * As both official clients read it: split at spaces, first word Bearer, then the first `name=value` anywhere. They do it
 * without the grammar, so what stands in a description can win.
 */
export const asOfficialClients = (header: string): Taken | undefined => {
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

/** As the standard reads it; `undefined` where it is no challenge, or none of Bearer. */
export const asStandard = (header: string): Taken | undefined => {
  const parsed = Challenge.parse(header)
  if (Result.isFailure(parsed)) return undefined
  const bearer = parsed.success.find(({ scheme }) => scheme.toLowerCase() === "bearer")
  if (bearer === undefined) return undefined
  const take = (name: string) => bearer.parameters.get(name)
  return { resourceMetadata: take(names.resourceMetadata), scope: take(names.scope), error: take(names.error) }
}

/** In what both readings differ. */
export const differences = (header: string): ReadonlyArray<string> => {
  const meant = asStandard(header)
  const read = asOfficialClients(header)
  if (meant === undefined) return ["it does not follow the grammar of RFC 9110"]
  if (read === undefined) {
    return meant.resourceMetadata === undefined && meant.scope === undefined && meant.error === undefined
      ? []
      : ["they read nothing: the header must begin with Bearer, one space and the first parameter"]
  }
  return (Object.keys(names) as ReadonlyArray<keyof typeof names>).flatMap((key) =>
    meant[key] === read[key]
      ? []
      : [`${names[key]} is ${shown(meant[key] ?? "absent", 80)}, and they read ${shown(read[key] ?? "nothing", 80)}`]
  )
}
