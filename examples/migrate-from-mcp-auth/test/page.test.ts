import { it } from "@effect/vitest"
import { follow, showsItsFiles, withServer } from "../../shared/test/page.ts"

it("the page shows the files of the example", () => showsItsFiles("migrate-from-mcp-auth", 3))

it(
  "what the page shows is what is printed",
  () => withServer("migrate-from-mcp-auth", "after.ts", (walk) => follow("migrate-from-mcp-auth", walk)),
  60_000
)
