import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { FindMyWay } from "effect/http"
import * as TemplateIndex from "../../../src/servers/host/TemplateIndex.ts"

/** The look-up as Effect's `McpServer` does it: it tries one router for each template, in order. */
const linear = (templates: ReadonlyArray<TemplateIndex.Template>): (uri: string) => ReadonlyArray<number> => {
  const routers = templates.map(({ routerPath }) => {
    const router = FindMyWay.make<true>({
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      caseSensitive: true
    })
    router.on("GET", `/${routerPath}`, true)
    return router
  })
  return (uri) => routers.flatMap((router, index) => router.find("GET", `/${uri}`) === undefined ? [] : [index])
}

const indexed = (index: TemplateIndex.TemplateIndex, uri: string): ReadonlyArray<number> => {
  const found: Array<number> = []
  index(uri, (position) => {
    found.push(position)
    return false
  })
  return found
}

const templateOf = (uriTemplate: string): TemplateIndex.Template => ({
  uriTemplate,
  routerPath: TemplateIndex.routerPathOf(uriTemplate)
})

const isRegistrable = (template: TemplateIndex.Template): boolean => {
  try {
    linear([template])
    return true
  } catch {
    return false
  }
}

const parts = ["a", "b", "a/", "/", "{x}", "{y}", "-", ".", "%", "*", "a{x}", "{x}/", "{x}-{y}", "(", ":"]
const pieces = ["a", "b", "/", "a/", "-", ".", "%61", "%2F", "%", "?", "#", ";", "//", "a".repeat(101), "A", ":"]

const texts = (from: ReadonlyArray<string>) =>
  Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: from.length - 1 }))), {
      maxLength: 6
    }),
    (_) => `s://${_.map((index) => from[index]!).join("")}`
  )

describe("The index of templates", () => {
  it.effect.prop(
    "[T-AUD-06l] finds the same templates as the server, in the same order",
    [Arbitrary.array(texts(parts), { maxLength: 7 }), Arbitrary.array(texts(pieces), { maxLength: 7 })],
    ([uriTemplates, uris]) =>
      Effect.sync(() => {
        const templates = [...new Set(uriTemplates)].map(templateOf).filter(isRegistrable)
        const index = TemplateIndex.make(templates)
        const server = linear(templates)
        for (const uri of uris) {
          assert.deepStrictEqual(indexed(index, uri), server(uri), `${JSON.stringify(uriTemplates)} ${uri}`)
        }
      }),
    { arbitrary: { runs: 2000, size: 20 } }
  )

  it("stops if a match ends the search", () => {
    const index = TemplateIndex.make(["s://{a}", "s://{b}", "s://x"].map(templateOf))
    const found: Array<number> = []
    index("s://x", (position) => {
      found.push(position)
      return position === 1
    })
    assert.deepStrictEqual(found, [0, 1])
  })

  it("makes the router path of a URI template as `McpServer.resource` does", () => {
    assert.strictEqual(TemplateIndex.routerPathOf("todo://items/{id}/by:{user}:x:y"), "todo:://items/:0/by:::1::x:y")
  })
})
