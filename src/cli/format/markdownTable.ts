/**
 * The one writer of Markdown tables: reports, the list of providers, the reference and the benchmark use it.
 *
 * @since 0.1.0
 */

/**
 * How a table is written.
 *
 * @category models
 * @since 0.1.0
 */
export interface TableLayout {
  /** Default: every column is aligned to the left. */
  readonly alignRight?: ((column: number) => boolean) | undefined
  /** Pads cells to the width of their column, as the formatter does. Default: `false`. */
  readonly padded?: boolean | undefined
}

/**
 * Writes a table, one line for each row. Cells are inline Markdown: escape text of others before.
 *
 * **Details**
 *
 * A `|` and a line break inside a cell would end it. The `|` is escaped unless it already is, and a line break becomes a
 * space.
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
    // An odd number of backslashes has escaped it.
    slashes.length % 2 === 0 ? `${slashes}\\|` : found)

const toPaddedCell = (cell: string): string => cell === "" ? " " : ` ${cell} `
