import * as Result from "effect/Result"

/* Reads parameters of queries and forms. A parameter that appears twice is an error (RFC 6749 §3.1). */

/** The parameters of a request. A parameter without a value counts as absent (RFC 6749 §3.1). */
export interface Parameters {
  readonly get: (name: string) => string | undefined
}

/** The largest number of parameters of a request. */
const maximumParameters = 64

/** Reads a query or the body of a form. Fails with the second part of a sentence about the request. */
export const parse = (text: string): Result.Result<Parameters, string> => {
  const values = new Map<string, string>()
  let count = 0
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > maximumParameters) return Result.fail(`has more than ${maximumParameters} parameters`)
    if (values.has(name)) return Result.fail("repeats a parameter")
    values.set(name, value)
  }
  return Result.succeed({ get: (name) => values.get(name) || undefined })
}

/** Tells whether a content type is that of forms. */
export const isForm = (contentType: string | undefined): boolean =>
  (contentType ?? "").split(";")[0]!.trim().toLowerCase() === "application/x-www-form-urlencoded"

/** Adds parameters to a URI without a change of the URI itself. The URI has no fragment. */
export const appendTo = (uri: string, parameters: Readonly<Record<string, string | undefined>>): string => {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.append(name, value)
  return `${uri}${uri.includes("?") ? "&" : "?"}${query}`
}
