/**
 * Wraps text for terminals.
 *
 * @since 0.1.0
 */
import * as CliOutput from "effect/cli/CliOutput"

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** Returns the width in columns. Measures ASCII by its length, because the measurement of graphemes is slow. */
const getWidth = (text: string): number => /^[\x20-\x7e]*$/.test(text) ? text.length : CliOutput.displayWidth(text)

/** Divides a word into parts that fit. The last part can be shorter. */
const divide = (word: string, width: number): ReadonlyArray<string> => {
  if (getWidth(word) <= width) return [word]
  const parts: Array<string> = []
  let part = ""
  let partWidth = 0
  for (const { segment } of segmenter.segment(word)) {
    const segmentWidth = getWidth(segment)
    if (part !== "" && partWidth + segmentWidth > width) {
      parts.push(part)
      part = ""
      partWidth = 0
    }
    part += segment
    partWidth += segmentWidth
  }
  return [...parts, part]
}

/**
 * Divides a text without line breaks into lines of at most `width` columns. Divides a word, such as a URL, only if it is longer
 * than a line. Full-width characters count as two columns.
 *
 * @category encoding
 * @since 0.1.0
 */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  let lineWidth = 0
  for (const word of text.split(" ")) {
    const wordWidth = getWidth(word)
    if (line !== "" && lineWidth + 1 + wordWidth <= width) {
      line += ` ${word}`
      lineWidth += 1 + wordWidth
      continue
    }
    if (line !== "") lines.push(line)
    const parts = divide(word, width)
    lines.push(...parts.slice(0, -1))
    line = parts.at(-1)!
    lineWidth = getWidth(line)
  }
  return [...lines, line]
}

/**
 * Returns the width of output in columns: that of the terminal, but at least 40 and at most 120; 100 without a terminal, which
 * reports 0.
 *
 * @category getters
 * @since 0.1.0
 */
export const toWidth = (columns: number): number => columns > 0 ? Math.max(40, Math.min(columns, 120)) : 100
