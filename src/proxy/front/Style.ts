/* The style sheet of the pages. The content security policy allows it by its hash, so pages have no `style` attributes. */

/** Returns black or white, the one with the higher contrast to a color (WCAG 2.2, relative luminance). */
const textOn = (color: string): string => {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff"
}

/**
 * Writes the style sheet with the color of the author, such as `#1d4ed8`. The button of approval appears after 0.8 seconds: a click
 * that was meant for the page before hits nothing.
 */
export const styleWith = (color: string): string =>
  `:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b1f24;--faint:#57606a;--line:#d0d7de;--warn:#fff4ce;--warn-line:#9a6700;--brand:${color};--on-brand:${
    textOn(color)
  }}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--card:#161b22;--text:#e6edf3;--faint:#9ea7b3;--line:#3d444d;--warn:#2e2500;--warn-line:#d4a72c}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
.brand{margin:0;padding:.75rem 1rem;background:var(--brand);color:var(--on-brand);font-weight:600}
main{max-width:32rem;margin:1rem auto;padding:1.25rem 1rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
@media(max-width:34rem){main{margin:0;border-width:0 0 1px;border-radius:0}}
h1{font-size:1.35rem;line-height:1.3;margin:0 0 1rem}
h2{font-size:1rem;margin:1.25rem 0 .25rem}
p{margin:.5rem 0}
ul{margin:.25rem 0;padding-inline-start:1.25rem}
dl{margin:0}
dt{color:var(--faint);font-size:.875rem}
dd{margin:0 0 .5rem}
code{font:.9em ui-monospace,monospace}
.faint{color:var(--faint)}
.warning{margin:1rem 0;padding:.5rem .75rem;background:var(--warn);border-inline-start:4px solid var(--warn-line)}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.25rem}
button,.button{display:inline-block;flex:1 1 8rem;min-height:2.75rem;padding:.5rem 1rem;border:2px solid var(--line);border-radius:.375rem;background:var(--card);color:var(--text);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
.main{background:var(--brand);border-color:var(--brand);color:var(--on-brand)}
.late{visibility:hidden;animation:appear 0s linear .8s forwards}
@keyframes appear{to{visibility:visible}}
a{color:inherit}
:focus-visible{outline:3px solid var(--text);outline-offset:2px}
`

/** Returns the source expression of a style sheet for a content security policy (CSP Level 3 §2.3.1). */
export const hashOf = async (style: string): Promise<string> => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)))
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`
}
