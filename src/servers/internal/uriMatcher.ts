/**
 * Matchers of the URI templates of the official SDKs. `UriTemplate.match` builds its expression with each call, and some
 * templates make it backtrack: the time then grows with a power of the length of the URI, which the caller chooses.
 */

/** What both SDKs have of a template. */
export interface UriTemplate {
  readonly match: (uri: string) => unknown
  readonly toString: () => string
}

export interface Matcher {
  (uri: string): boolean
  /** Whether the SDK's own expression would backtrack. */
  readonly backtracks?: boolean | undefined
}

/** The parts of a `UriTemplate` that are read here: private by type, and the same in both SDKs. */
interface Parsed extends UriTemplate {
  readonly parts: ReadonlyArray<string | object>
  readonly escapeRegExp: (text: string) => string
  readonly partToRegExp: (part: object) => ReadonlyArray<{ readonly pattern: string }>
}

/** A subclass may match in another way, so the methods must be those that one class brings along. */
const isParsed = (template: UriTemplate): template is Parsed => {
  const prototype: unknown = Object.getPrototypeOf(template)
  return Array.isArray((template as Partial<Parsed>).parts) && !Object.hasOwn(template, "match") &&
    typeof prototype === "object" && prototype !== null &&
    ["match", "partToRegExp", "escapeRegExp"].every((name) => Object.hasOwn(prototype, name))
}

/** Makes the matchers of the templates of one SDK, each once for all templates with the same text. */
export const make = (capacity = 10_000): (template: UriTemplate) => Matcher => {
  // Most programs make a server for each request, so what costs time is known by the text of a template. Beside that the
  // matcher is kept on the template, which is asked for with each URI.
  const matcher = Symbol("effect-mcp-auth/matcher")
  type Marked = { [matcher]?: Matcher }
  const known = new Map<string, Matcher>()

  const find = (template: UriTemplate): Matcher => {
    if (!isParsed(template)) return (uri) => Boolean(template.match(uri))
    const text = template.toString()
    const found = known.get(text)
    if (found !== undefined) return found
    const made = matcherOf(template)
    // Programs make their templates of constants. One that makes them of data must not fill the memory.
    if (known.size >= capacity) known.clear()
    known.set(text, made)
    return made
  }

  return (template) => {
    const marked = template as Marked
    if (Object.hasOwn(template, matcher)) return marked[matcher]!
    const found = find(template)
    if (Object.isExtensible(template)) {
      marked[matcher] = found
      // The SDK tries each template for each URI that is read, also for one that none of them matches.
      if (found.backtracks === true) Object.defineProperty(template, "match", { value: guarded(found, template.match) })
    }
    return found
  }
}

const guarded = (matches: Matcher, match: UriTemplate["match"]) =>
  function(this: UriTemplate, uri: string): unknown {
    return matches(uri) ? match.call(this, uri) : null
  }

/** A literal text, or a group that matches one character or more. */
type Piece = string | Run

interface Run {
  readonly matches: (code: number) => boolean
  /** Lists of values, separated by commas. */
  readonly exploded: boolean
}

const without = (characters: string): (code: number) => boolean => {
  const codes = new Set([...characters].map((_) => _.charCodeAt(0)))
  return (code) => !codes.has(code)
}

/** The groups of the SDKs' expressions. */
const groups: ReadonlyMap<string, Run> = new Map([
  ["([^/,]+(?:,[^/,]+)*)", { matches: without("/,"), exploded: true }],
  ["([^/,]+)", { matches: without("/,"), exploded: false }],
  ["([^/]+)", { matches: without("/"), exploded: false }],
  ["([^&]+)", { matches: without("&"), exploded: false }],
  ["(.+)", { matches: without("\n\r\u2028\u2029"), exploded: false }]
])

const matcherOf = (template: Parsed): Matcher => {
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
      const group = [...groups].find(([text]) => pattern.endsWith(text))
      if (group === undefined) isKnown = false
      else pieces.push(pattern.slice(0, -group[0].length).replace(/\\(.)/g, "$1"), group[1])
    }
  }
  const joined = join(pieces)
  const prefix = typeof joined[0] === "string" ? joined[0] : ""
  const expression = new RegExp(`${source}$`)
  const backtracks = isKnown && isAmbiguous(joined)
  const matches = backtracks ? automatonOf(joined) : (uri: string) => expression.test(uri)
  return Object.assign((uri: string) => uri.startsWith(prefix) && matches(uri), { backtracks })
}

/** Joins neighboring texts, and leaves out empty ones. */
const join = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Piece> => {
  const joined: Array<Piece> = []
  for (const piece of pieces) {
    const last = joined.at(-1)
    if (typeof piece === "string" && typeof last === "string") joined[joined.length - 1] = last + piece
    else if (piece !== "") joined.push(piece)
  }
  return joined
}

/** Whether a group can end in several places in front of another group: only then does an expression backtrack. */
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

interface State {
  readonly matches: (code: number) => boolean
  readonly next: ReadonlyArray<number>
}

/** Follows all possible matches at once: the time grows with the length of the URI, and with that of the template. */
const automatonOf = (pieces: ReadonlyArray<Piece>): Matcher => {
  const states: Array<State> = []
  for (const piece of pieces) {
    if (typeof piece === "string") {
      for (let index = 0; index < piece.length; index++) {
        const code = piece.charCodeAt(index)
        states.push({ matches: (_) => _ === code, next: [states.length + 1] })
      }
    } else if (piece.exploded) {
      const first = states.length
      states.push({ matches: piece.matches, next: [first, first + 1, first + 2] })
      states.push({ matches: (_) => _ === comma, next: [first] })
    } else {
      states.push({ matches: piece.matches, next: [states.length, states.length + 1] })
    }
  }
  const end = states.length
  return (uri) => {
    let current: Array<number> = [0]
    // By state, the position before which it was entered last: no state is entered twice at one position.
    const entered = new Int32Array(end + 1)
    for (let position = 0; position < uri.length; position++) {
      const code = uri.charCodeAt(position)
      const following: Array<number> = []
      for (const index of current) {
        const state = states[index]
        if (state === undefined || !state.matches(code)) continue
        for (const next of state.next) {
          if (entered[next] === position + 1) continue
          entered[next] = position + 1
          following.push(next)
        }
      }
      if (following.length === 0) return false
      current = following
    }
    return current.includes(end)
  }
}
