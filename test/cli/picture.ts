/** Draws the output of a terminal as SVG. */

const colors: Readonly<Record<string, string>> = { 31: "#ff8a80", 32: "#7ddc9a", 33: "#f2c063", 36: "#79d3e6" }

const getStyle = (codes: string): string => {
  const parts = codes.split(";")
  const color = parts.map((code) => colors[code]).find((_) => _ !== undefined)
  return [
    ...(color !== undefined ? [`fill="${color}"`] : parts.includes("2") ? [`fill="#98a2ae"`] : []),
    ...(parts.includes("1") ? [`font-weight="700"`] : [])
  ].join(" ")
}

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const cell = { width: 8.43, height: 19, margin: 20 }

/** Returns an SVG image of the output with its ANSI colors. */
export const toSvg = (title: string, output: string): string => {
  const lines = output.trimEnd().split("\n")
  const painted = /\u001b\[([0-9;]+)m(.*?)\u001b\[0m/g
  const columns = Math.max(...lines.map((line) => line.replace(painted, "$2").length))
  const width = Math.ceil(columns * cell.width + 2 * cell.margin)
  const height = lines.length * cell.height + 2 * cell.margin
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="10" fill="#14171a"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e7e9ec">`,
    ...lines.map((line, index) => {
      const y = cell.margin + (index + 0.75) * cell.height
      const spans = escape(line).replace(
        painted,
        (_, codes: string, text: string) => `<tspan ${getStyle(codes)}>${text}</tspan>`
      )
      return `<text x="${cell.margin}" y="${y}" xml:space="preserve">${spans}</text>`
    }),
    "</g>",
    "</svg>",
    ""
  ].join("\n")
}
