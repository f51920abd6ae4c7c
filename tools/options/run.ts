/** `npm run docs`: writes the page of the options. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { readAll } from "./Options.ts"
import { markdown } from "./Page.ts"

const root = join(import.meta.dirname, "../..")
writeFileSync(join(root, "docs/options.md"), markdown(await readAll(root)))
// The calls have started servers and timers.
process.exit()
