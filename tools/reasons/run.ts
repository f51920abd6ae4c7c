/** `npm run docs`: writes the page of the rejection reasons. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { markdown } from "./Page.ts"

writeFileSync(join(import.meta.dirname, "../../docs/rejection-reasons.md"), markdown())
