import { it } from "@effect/vitest"
import { follow, showsItsFiles, withServer } from "../../shared/test/page.ts"

it("the page shows the files of the example", () => showsItsFiles("edge", 5))

it(
  "what the page shows is what is printed",
  () => withServer("edge", "server.ts", (walk) => follow("edge", walk)),
  60_000
)
