import { it } from "@effect/vitest"
import { showsItsFiles } from "../../shared/test/page.ts"

it("the page shows the files of the example", () => showsItsFiles("todo-manager", 7))
