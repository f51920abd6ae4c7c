import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Navigation from "../../tools/site/Navigation.ts"
import { isPage, pageOf, resolveLink, root } from "../../tools/site/Pages.ts"
import { links } from "../links.ts"

describe("the pages of the site", () => {
  it.each([
    ["README.md", "overview.md"],
    ["docs/policies.md", "docs/policies.md"],
    ["examples/express/README.md", "examples/express/index.md"],
    ["tools/site/pages/index.md", "index.md"],
    ["tools/site/generated/examples/providers/stytch.md", "examples/providers/stytch.md"]
  ])("show %s as %s", (file, page) => {
    assert.strictEqual(pageOf(file), page)
  })

  it.each([
    ["docs/policies.md", "lazy-sign-in.md#forms", "/docs/lazy-sign-in.md#forms"],
    ["docs/policies.md", "../README.md", "/overview.md"],
    ["docs/policies.md", "..", "/overview.md"],
    ["overview.md", "examples/express", "/examples/express/index.md"],
    ["overview.md", "examples/express/#before", "/examples/express/index.md#before"],
    ["CONTRIBUTING.md", "test/api/core.api.md", "/source/test/api/core.api.md.html"],
    ["docs/policies.md", "../src/index.ts", "/source/src/index.ts.html"],
    ["docs/operations.md", "../examples/todo-manager/instances", "/source/examples/todo-manager/instances.html"]
  ])("lead from %s with the link %s to %s", (page, link, url) => {
    assert.strictEqual(resolveLink(page, link)?.url, url)
  })

  it.each(["https://example.com", "#here", "mailto:a@example.com", ""])("keep the link %j as it is", (link) => {
    assert.isUndefined(resolveLink("docs/policies.md", link))
  })

  it.each(["nowhere.md", "../../elsewhere/README.md"])(
    "cannot be built with the link %s, which leads nowhere",
    (link) => {
      assert.throws(() => resolveLink("docs/policies.md", link), /does not exist/)
    }
  )
})

describe("the links of the documents", () => {
  it("lead to pages or to source files of the site", () => {
    const files = [
      ...readdirSync(root),
      ...["docs", "examples", "reference"].flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`)
      )
    ].filter((file) => isPage(file) && !file.includes("node_modules"))
    const pages = new Set(files.map((file) => `/${pageOf(file)}`))
    const wrong = files.flatMap((file) =>
      links(readFileSync(join(root, file), "utf8")).flatMap((link) => {
        const target = resolveLink(pageOf(file), link)
        const isFound = target?.kind !== "page" || pages.has(target.url.split("#")[0]!)
        return isFound ? [] : [`${file}: ${link}`]
      })
    )
    assert.isAbove(files.length, 150)
    assert.deepStrictEqual(wrong, [])
  })
})

describe("the menus of the site", () => {
  const linksOf = (items: ReadonlyArray<Navigation.Item>): ReadonlyArray<string> =>
    items.flatMap(({ items = [], link }) => [...link === undefined ? [] : [link], ...linksOf(items)])

  const linksIn = (folder: string) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
      .map((name) => Navigation.linkTo(`${folder}/${name}`))

  it("contain each page exactly once", () => {
    const links = [...linksOf(Navigation.makeSidebar()), ...linksOf(Navigation.makeReferenceSidebar())]
      .filter((link) => link !== "/reference/")
    const top = readdirSync(root).filter((name) => name.endsWith(".md")).map(Navigation.linkTo)
    const pages = [...top, ...["docs", "examples", "reference"].flatMap(linksIn)].filter((link) =>
      link !== "/reference/"
    )
    assert.deepStrictEqual(pages.filter((page) => !links.includes(page)), [])
    assert.deepStrictEqual(links.filter((link, index) => links.indexOf(link) !== index), [])
  })

  it("have labels without Markdown", () => {
    const labelsOf = (items: ReadonlyArray<Navigation.Item>): ReadonlyArray<string> =>
      items.flatMap(({ items = [], text }) => [text, ...labelsOf(items)])
    assert.deepStrictEqual(labelsOf(Navigation.makeSidebar()).filter((label) => /[`[\]]|\.md/.test(label)), [])
  })
})
