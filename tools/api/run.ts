/** `npm run api`: writes the API reports to `test/api`. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Report from "./Report.ts"

const root = join(import.meta.dirname, "../..")
const folder = join(root, "test/api")
const reports = Report.render(Report.entryPoints(root), Report.emit(root))

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
for (const [name, text] of reports) writeFileSync(join(folder, name), text)
console.log(`${reports.size} reports in test/api`)
