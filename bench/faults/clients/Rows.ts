/** The rows of the table, in the order of a sign-in. */
import { discoveryRows } from "./discoveryRows.ts"
import type { Row } from "./Scenario.ts"
import { tokenRows } from "./tokenRows.ts"

export const rows: ReadonlyArray<Row> = [...discoveryRows, ...tokenRows].sort((one, other) => one.number - other.number)
