/* Rejects secrets that are short, or that a person typed or copied from a document. */

/** The minimum length of a secret, in bytes of UTF-8. */
export const minimumBytes = 32

/** Words of examples. None of them is part of a random text by chance. */
const placeholders = /change|secret|password|example|default|placeholder|replace|00000000|development/i

/** Returns whether a text consists of repetitions of a shorter one. */
const isRepeated = (text: string): boolean => (text + text).indexOf(text, 1) < text.length

/** Counts the different steps between neighboring characters. A sequence such as `abcdef…` has few, a random text has many. */
const countSteps = (text: string): number =>
  new Set(Array.from({ length: text.length - 1 }, (_, index) => text.charCodeAt(index + 1) - text.charCodeAt(index)))
    .size

/**
 * Returns what is wrong with a secret, or `undefined` for one that looks random. A check cannot prove that a text is random: this
 * one finds the texts that people use instead.
 */
export const problemOf = (secret: string): string | undefined => {
  const bytes = new TextEncoder().encode(secret).length
  if (bytes < minimumBytes) return `it has ${bytes} bytes, and at least ${minimumBytes} are required`
  if (placeholders.test(secret)) return "it contains a word of an example"
  if (isRepeated(secret) || new Set(secret).size < 8 || countSteps(secret) < 8) return "it is not random"
  return undefined
}
