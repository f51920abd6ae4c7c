/**
 * Writes Markdown tables, for reports, the list of providers, the reference and the benchmark.
 *
 * @since 0.1.0
 */

/**
 * Configures the layout of a table.
 *
 * @category models
 * @since 0.1.0
 */
export interface TableLayout {
  /** Returns whether a column is aligned to the right. The first column is 0. Default: every column is aligned to the left. */
  readonly alignRight?: ((column: number) => boolean) | undefined
  /** Pads cells to the width of their column, as `npm run format` does. Default: `false`. */
  readonly padded?: boolean | undefined
}

/**
 * Writes a table with one line for each row. Cells are inline Markdown, so the caller must escape text that comes from another
 * party.
 *
 * **Details**
 *
 * A `|` or a line break inside a cell would end the cell. So a `|` is escaped, unless it is escaped already, and a line break
 * becomes a space.
 *
 * @category encoding
 * @since 0.1.0
 */
export const markdownTable = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  { alignRight = () => false, padded = false }: TableLayout = {}
): string => {
  const cells = [head, ...rows].map((row) => row.map(toCell))
  const widths = head.map((_, column) => padded ? Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)) : 3)
  const line = (row: ReadonlyArray<string>) =>
    `|${row.map((cell, column) => toPaddedCell(padded ? cell.padEnd(widths[column]!) : cell)).join("|")}|`
  const [first, ...others] = cells
  const rule = widths.map((width, column) => alignRight(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width))
  return [line(first!), `| ${rule.join(" | ")} |`, ...others.map(line)].join("\n")
}

const toCell = (text: string): string =>
  text.replace(/\s*\r?\n\s*/g, " ").replace(/(\\*)\|/g, (found, slashes: string) =>
    // After an odd number of backslashes, the `|` is already escaped.
    slashes.length % 2 === 0 ? `${slashes}\\|` : found)

const toPaddedCell = (cell: string): string => cell === "" ? " " : ` ${cell} `
