import { BoundedMap } from "../../store/BoundedMap.ts"
import type { ParsedUriTemplate, UriTemplate } from "./SdkPrivates.ts"

/**
 * Matches URIs against the URI templates of the official SDKs. The SDKs' `UriTemplate.match` builds its regular expression at
 * each call. With some templates, the expression backtracks: its time grows with a power of the length of the URI, which the
 * client chooses.
 */

/** Returns whether a URI matches a template. */
export interface Matcher {
  (uri: string): boolean
  /**
   * Returns the length of the text that each group matches, or `undefined` if the URI does not match. This function exists only
   * if the SDK's own expression would backtrack.
   */
  readonly lengthsOf?: LengthsOf | undefined
}

type LengthsOf = (uri: string) => ReadonlyArray<number> | undefined

// A subclass can override only one of `match`, `partToRegExp` and `escapeRegExp`, so the class itself must define all three.
/** Returns whether a template uses the SDK's own `match`, so that its parts determine which URIs match. */
const isParsed = (template: UriTemplate): template is ParsedUriTemplate => {
  const prototype: unknown = Object.getPrototypeOf(template)
  return Array.isArray((template as Partial<ParsedUriTemplate>).parts) && !Object.hasOwn(template, "match") &&
    typeof prototype === "object" && prototype !== null &&
    ["match", "partToRegExp", "escapeRegExp"].every((name) => Object.hasOwn(prototype, name))
}

/** Creates the function that returns the matcher of a template. Templates with the same text share a matcher. */
export const make = (capacity = 10_000): (template: UriTemplate) => Matcher => {
  // Most programs create a server for each request, so matchers are cached by the text of their template. Each template object
  // also holds its matcher, which is faster to look up.
  const matcher = Symbol("effect-mcp-auth/matcher")
  type Marked = { [matcher]?: Matcher }
  // Templates are constants in most programs. The bound is for programs that create them from data.
  const known = new BoundedMap<string, Matcher>(capacity)

  const find = (template: UriTemplate): Matcher => {
    if (!isParsed(template)) return (uri) => Boolean(template.match(uri))
    const text = template.toString()
    const found = known.get(text)
    if (found !== undefined) return found
    const made = matcherOf(template)
    known.set(text, made)
    return made
  }

  return (template) => {
    const marked = template as Marked
    if (Object.hasOwn(template, matcher)) return marked[matcher]!
    const found = find(template)
    if (Object.isExtensible(template)) {
      marked[matcher] = found
      // The SDK calls `match` for every URI, even if the gate found no match for it, so `match` must not backtrack either.
      const { lengthsOf } = found
      if (lengthsOf !== undefined) {
        Object.defineProperty(template, "match", { value: withoutBacktracking(lengthsOf, template.match) })
      }
    }
    return found
  }
}

/**
 * Creates the function that replaces `match` of a template. It gives each group of the SDK's expression a fixed length, so the
 * expression cannot backtrack.
 */
const withoutBacktracking = (lengthsOf: LengthsOf, match: UriTemplate["match"]) =>
  function(this: ParsedUriTemplate, uri: string): unknown {
    const lengths = lengthsOf(uri)
    if (lengths === undefined) return null
    let index = 0
    const partToRegExp: ParsedUriTemplate["partToRegExp"] = (part) =>
      this.partToRegExp(part).map((made) => ({
        ...made,
        pattern: made.pattern.slice(0, -groupOf(made.pattern)![0].length) + `([^]{${lengths[index++]}})`
      }))
    return match.call(Object.create(this, { partToRegExp: { value: partToRegExp } }), uri)
  }

/** A literal text, or a group that matches one or more characters. */
type Piece = string | Run

interface Run {
  readonly matches: (code: number) => boolean
  /** Whether the group matches a list of values, separated by commas. */
  readonly exploded: boolean
}

const without = (characters: string): (code: number) => boolean => {
  const codes = new Set([...characters].map((_) => _.charCodeAt(0)))
  return (code) => !codes.has(code)
}

/** The groups in the SDKs' expressions, with the characters that each of them matches. */
const groups: ReadonlyMap<string, Run> = new Map([
  ["([^/,]+(?:,[^/,]+)*)", { matches: without("/,"), exploded: true }],
  ["([^/,]+)", { matches: without("/,"), exploded: false }],
  ["([^/]+)", { matches: without("/"), exploded: false }],
  ["([^&]+)", { matches: without("&"), exploded: false }],
  ["(.+)", { matches: without("\n\r\u2028\u2029"), exploded: false }]
])

const groupOf = (pattern: string) => [...groups].find(([text]) => pattern.endsWith(text))

const matcherOf = (template: ParsedUriTemplate): Matcher => {
  const pieces: Array<Piece> = []
  let source = "^"
  let isKnown = true
  for (const part of template.parts) {
    if (typeof part === "string") {
      source += template.escapeRegExp(part)
      pieces.push(part)
      continue
    }
    for (const { pattern } of template.partToRegExp(part)) {
      source += pattern
      const group = groupOf(pattern)
      if (group === undefined) isKnown = false
      else pieces.push(pattern.slice(0, -group[0].length).replace(/\\(.)/g, "$1"), group[1])
    }
  }
  const joined = join(pieces)
  const first = template.parts[0]
  const prefix = typeof first === "string" ? first : ""
  if (isKnown && isAmbiguous(joined)) {
    const find = lengthsIn(joined)
    const lengthsOf: LengthsOf = (uri) => uri.startsWith(prefix) ? find(uri) : undefined
    return Object.assign((uri: string) => lengthsOf(uri) !== undefined, { lengthsOf })
  }
  const expression = new RegExp(`${source}$`)
  return (uri) => uri.startsWith(prefix) && expression.test(uri)
}

/** Joins adjacent texts, and removes empty ones. */
const join = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const joined: Array<Piece> = []
  for (const piece of pieces) {
    const last = joined.at(-1)
    if (typeof piece === "string" && typeof last === "string") joined[joined.length - 1] = last + piece
    else if (piece !== "") joined.push(piece)
  }
  return joined
}

/**
 * Returns whether a group that is followed by another group can end at several positions. If no group can, the regular
 * expression of the template cannot backtrack excessively.
 */
const isAmbiguous = (pieces: ReadonlyArray<Piece>): boolean =>
  pieces.some((piece, index) => {
    if (typeof piece === "string") return false
    const text = pieces[index + 1]
    const next = typeof text === "string" ? pieces[index + 2] : text
    if (next === undefined) return false
    const accepts = (code: number) => piece.matches(code) || (piece.exploded && code === comma)
    return typeof text !== "string" || [...text].every((_) => accepts(_.charCodeAt(0)))
  })

const comma = 44

/**
 * Finds the length of each group as the SDK's expression does: from left to right, each group matches as much as it can. The
 * time is proportional to the length of the URI times that of the template.
 */
const lengthsIn = (pieces: ReadonlyArray<Piece>): LengthsOf => (uri) => {
  const size = uri.length + 1
  // For each piece and position: whether this piece and the following ones match the rest of the URI from this position.
  const matches = new Uint8Array((pieces.length + 1) * size)
  matches[matches.length - 1] = 1
  for (let index = pieces.length - 1; index >= 0; index--) {
    const piece = pieces[index]!
    const row = index * size
    const next = row + size
    for (let at = uri.length - 1; at >= 0; at--) {
      if (typeof piece === "string") {
        if (matches[next + at + piece.length] === 1 && uri.startsWith(piece, at)) matches[row + at] = 1
      } else if (
        piece.matches(uri.charCodeAt(at)) &&
        (matches[next + at + 1] === 1 || matches[row + at + 1] === 1 ||
          matches[row + afterComma(piece, uri, at + 1)] === 1)
      ) {
        matches[row + at] = 1
      }
    }
  }
  if (matches[0] !== 1) return undefined
  const lengths: Array<number> = []
  let start = 0
  for (const [index, piece] of pieces.entries()) {
    let end = start
    if (typeof piece === "string") end += piece.length
    else {
      for (let at = start; at < uri.length && piece.matches(uri.charCodeAt(at));) {
        at++
        if (matches[(index + 1) * size + at] === 1) end = at
        at = afterComma(piece, uri, at)
      }
      lengths.push(end - start)
    }
    start = end
  }
  return lengths
}

/** Returns the position of the next value of a list, or the same position if there is none. */
const afterComma = (piece: Run, uri: string, at: number): number =>
  piece.exploded && uri.charCodeAt(at) === comma ? at + 1 : at
