import { it } from "@effect/vitest"
import { follow, showsItsFiles, withServer } from "../../shared/test/page.ts"

it("the page shows the files of the example", () => showsItsFiles("whoami", 5))

it(
  "what the page shows is what is printed",
  () => withServer("whoami", "server.ts", (walk) => follow("whoami", walk)),
  60_000
)
