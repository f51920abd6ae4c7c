import { it } from "@effect/vitest"
import { follow, showsItsFiles, withServer } from "../../shared/test/page.ts"

it("the page shows the files of the example", () => showsItsFiles("express", 5))

it(
  "what the page shows is what is printed",
  () => withServer("express", "server.ts", (walk) => follow("express", walk)),
  60_000
)
