/* Limits how deeply JSON is nested. Code that walks a value by recursion overflows the stack if the value nests too deeply. */

/** Deepest accepted nesting of a token or a document, in levels of objects and arrays. Recursion over such values is safe. */
export const maximumDepth = 32

/** Tells whether a parsed value nests at most `levels` levels deep (default: 32). Never recurses deeper than `levels`. */
export const isShallow = (value: unknown, levels: number = maximumDepth): boolean => {
  if (typeof value !== "object" || value === null) return true
  if (levels === 0) return false
  if (Array.isArray(value)) return value.every((item) => isShallow(item, levels - 1))
  for (const key of Object.keys(value)) {
    if (!isShallow((value as Readonly<Record<string, unknown>>)[key], levels - 1)) return false
  }
  return true
}

/** Deepest accepted nesting of a request body, in levels of objects and arrays. */
export const maximumBodyDepth = 64

/**
 * Tells whether the JSON text of a body nests at most `maximumBodyDepth` levels deep. For text that is not JSON, the result has
 * no meaning.
 */
export const isTextWithin = (text: string): boolean => {
  // A text with few opening brackets cannot nest deeply. Counting the brackets is much cheaper than reading each character.
  if (occurrences(text, "{") + occurrences(text, "[") <= maximumBodyDepth) return true
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case quote:
        index = endOfString(text, index)
        break
      case openBrace:
      case openBracket:
        if (++depth > maximumBodyDepth) return false
        break
      case closeBrace:
      case closeBracket:
        depth--
    }
  }
  return true
}

const [quote, backslash, openBrace, openBracket, closeBrace, closeBracket] = [0x22, 0x5c, 0x7b, 0x5b, 0x7d, 0x5d]

/** Counts a character in a text. Stops when the count exceeds `maximumBodyDepth`. */
const occurrences = (text: string, character: string): number => {
  let count = 0
  for (let at = text.indexOf(character); at !== -1 && count <= maximumBodyDepth; at = text.indexOf(character, at + 1)) {
    count++
  }
  return count
}

/** Returns the index of the quotation mark that ends the string that begins at `start`. */
const endOfString = (text: string, start: number): number => {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === quote) return index
    if (code === backslash) index++
  }
  return text.length
}

/**
 * Tells whether a parsed body nests at most `maximumBodyDepth` levels deep. Visits an object once per level, so that an object
 * in many places does not multiply the work.
 */
export const isValueWithin = (value: unknown): boolean => {
  let level: Set<object> = new Set(isNested(value) ? [value] : [])
  for (let depth = 0; level.size > 0; depth++) {
    if (depth === maximumBodyDepth) return false
    const next = new Set<object>()
    for (const parent of level) {
      for (const child of Object.values(parent)) if (isNested(child)) next.add(child)
    }
    level = next
  }
  return true
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null
