/** `npm run change`: asks what a change is, and writes a changeset. Arguments go to `changeset add`, such as `--empty`. */
import { spawnSync } from "node:child_process"
import { install, program } from "./installed.ts"

install()
const { status } = spawnSync(program("changeset"), ["add", ...process.argv.slice(2)], { stdio: "inherit" })
process.exitCode = status ?? 1
