/*
 * Writes HTML. Every value becomes text through `escape`, and a template accepts nothing but values and the result of other
 * templates, so no value can become markup.
 */

/** A piece of HTML. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Escapes a value for text and for attributes in quotes. */
export const escape = (value: string): string =>
  value.replace(/[&<>"'`=]/g, (character) => `&#${character.charCodeAt(0)};`)

/** Writes HTML. Texts are escaped; a list is written in order; `undefined` writes nothing. */
export const html = (
  literals: TemplateStringsArray,
  ...values: ReadonlyArray<string | Html | ReadonlyArray<Html> | undefined>
): Html => {
  let text = literals[0]!
  for (const [index, value] of values.entries()) text += toText(value) + literals[index + 1]!
  return new Html(text)
}

const toText = (value: string | Html | ReadonlyArray<Html> | undefined): string =>
  value === undefined
    ? ""
    : value instanceof Html
    ? value.text
    : typeof value === "string"
    ? escape(value)
    : value.map(({ text }) => text).join("")
