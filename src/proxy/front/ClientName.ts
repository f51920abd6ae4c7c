/* Cleans the names that clients give themselves. Anyone can register any name, so pages show a name as a claim. */

/** The longest name, in graphemes. */
const maximumGraphemes = 64

/** The longest name, in UTF-16 units. One grapheme can contain any number of combining characters. */
const maximumUnits = 128

// Controls, surrogates and private use; format characters, which include bidirectional controls and invisible characters; line and
// paragraph separators; marks that enclose a character; the fillers of Hangul, which look like spaces; quotation marks like those that
// pages write around a name.
const unsafe = /[\p{Cc}\p{Cs}\p{Co}\p{Cf}\p{Zl}\p{Zp}\p{Me}\u115f\u1160\u3164\uffa0\u201c-\u201f]/gu

/** More combining marks than a script needs. They would pile up, and cover other lines of a page. */
const piledUp = /(\p{M}{4})\p{M}+/gu

/** Returns the name without unsafe characters, cut at 64 graphemes, or `undefined` if nothing is left. */
export const clean = (name: unknown): string | undefined => {
  if (typeof name !== "string") return undefined
  const text = name.slice(0, 1_024).replace(unsafe, "").replace(piledUp, "$1").replace(/\s+/gu, " ").trim()
  const graphemes = Array.from(new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text), (_) => _.segment)
  let kept = ""
  for (const [index, grapheme] of graphemes.entries()) {
    if (index === maximumGraphemes || kept.length + grapheme.length > maximumUnits) return `${kept}…`
    kept += grapheme
  }
  return kept === "" ? undefined : kept
}
