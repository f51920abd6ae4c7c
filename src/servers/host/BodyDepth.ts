/* How deeply JSON is nested. A value that nests too deeply overflows the stack of code that walks it by recursion. */

/** Levels of objects and arrays, one inside the other. */
export const maximum = 64

/** Checks a text before it is parsed. A text that is not JSON may pass: the parser rejects it. */
export const isTextWithin = (text: string): boolean => {
  // Most messages open fewer brackets than they may nest; to count those is much cheaper than to read every character.
  if (occurrences(text, "{") + occurrences(text, "[") <= maximum) return true
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case quote:
        index = endOfString(text, index)
        break
      case openBrace:
      case openBracket:
        if (++depth > maximum) return false
        break
      case closeBrace:
      case closeBracket:
        depth--
    }
  }
  return true
}

const [quote, backslash, openBrace, openBracket, closeBrace, closeBracket] = [0x22, 0x5c, 0x7b, 0x5b, 0x7d, 0x5d]

/** Counts up to the maximum, and one more. */
const occurrences = (text: string, character: string): number => {
  let count = 0
  for (let at = text.indexOf(character); at !== -1 && count <= maximum; at = text.indexOf(character, at + 1)) count++
  return count
}

/** The index of the quotation mark that ends the string which begins at `start`. */
const endOfString = (text: string, start: number): number => {
  for (let index = start + 1; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === quote) return index
    if (code === backslash) index++
  }
  return text.length
}

/** Checks a value that a body parser left, level by level and without recursion. */
export const isValueWithin = (value: unknown): boolean => {
  let level: Set<object> = new Set(isNested(value) ? [value] : [])
  for (let depth = 0; level.size > 0; depth++) {
    if (depth === maximum) return false
    const next = new Set<object>()
    for (const parent of level) {
      for (const child of Object.values(parent)) if (isNested(child)) next.add(child)
    }
    level = next
  }
  return true
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null
