/** `npm run providers`: writes PROVIDERS.md from the provider facts. */
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { markdown } from "../../test/providers/list.ts"

writeFileSync(fileURLToPath(new URL("../../PROVIDERS.md", import.meta.url)), await Effect.runPromise(markdown))
