import { it } from "@effect/vitest"
import { follow, freePort, showsItsFiles, withServer } from "../../shared/test/page.ts"

it("the page shows the files of the example", () => showsItsFiles("upstream", 4))

it(
  "what the page shows is what is printed",
  async () =>
    withServer("upstream", "server.ts", (walk) => follow("upstream", walk), { ORDERS_PORT: await freePort() }),
  60_000
)
