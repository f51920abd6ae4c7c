/** Renders Mermaid diagrams while the site is built, so that pages load no diagram library. */
import { renderMermaidSVG } from "beautiful-mermaid"

const escapeAttribute = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("\"", "&quot;").replaceAll("<", "&lt;")

/** Returns the HTML of a diagram. Its colors are variables of the theme, so it follows the dark mode. */
export const renderDiagram = (source: string): string => {
  // `accTitle` and `accDescr` are Mermaid's texts for screen readers.
  const title = /^\s*accTitle:\s*(.+)$/m.exec(source)?.[1] ?? "Diagram"
  const description = /^\s*accDescr:\s*(.+)$/m.exec(source)?.[1]
  const svg = renderMermaidSVG(source.replace(/^\s*acc(?:Title|Descr):.*\n/gm, ""), {
    bg: "var(--vp-c-bg)",
    fg: "var(--vp-c-text-1)",
    line: "var(--diagram-line)",
    accent: "var(--vp-c-brand-1)",
    muted: "var(--vp-c-text-2)",
    surface: "var(--vp-c-bg-soft)",
    border: "var(--diagram-line)",
    font: "system-ui",
    transparent: true
  }).replace(/@import url\([^)]*\);/g, "")
  const label = escapeAttribute(description === undefined ? title : `${title}. ${description}`)
  // Vue rejects `<style>` in templates, so the SVG is a string.
  // The outer element can be scrolled on a phone, so it must be reachable with the keyboard.
  return `<div class="diagram" tabindex="0"><div role="img" aria-label="${label}" ` +
    `v-html="${escapeAttribute(JSON.stringify(svg))}"></div></div>\n`
}
