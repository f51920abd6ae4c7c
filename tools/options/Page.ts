/** Writes the page of the options. */
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import { anchorsOf } from "../reference/Reference.ts"
import type { FunctionOption } from "./Options.ts"

/** The options of a function, by its path such as `node/McpAuthNode.make`. */
export type OptionsByFunction = ReadonlyMap<string, ReadonlyArray<FunctionOption>>

type Row = readonly [option: string, value: string, otherwise: string, meaning: string]

const toCell = (text: string): string => text.replaceAll("|", "\\|")

const toRow = ({ member, name, rule }: FunctionOption): Row => {
  const { from, isRequired, otherwise, sentence, type } = member!
  const fromPackage = `An option of \`${from}\`.`
  return [
    `\`${name}\``,
    toCell(rule?.expected ?? type),
    from !== undefined ? rule?.otherwise ?? "" : isRequired ? "required" : toCell(otherwise ?? ""),
    toCell(from !== undefined ? fromPackage : sentence ?? "")
  ]
}

interface Section {
  readonly functions: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row>
}

const toText = (row: Row): string => row.join("\n")

/** Joins functions with the same options. */
const toSections = (options: OptionsByFunction): ReadonlyArray<Section> => {
  const sections = new Map<string, Section>()
  for (const [name, ofFunction] of options) {
    const rows = ofFunction.filter(({ member }) => member !== undefined).map(toRow)
    const text = rows.map(toText).toSorted().join("\n\n")
    sections.set(text, { functions: [...sections.get(text)?.functions ?? [], name], rows })
  }
  return [...sections.values()]
}

/** The minimum number of options that a section does not repeat from another one. */
const worthNaming = 4

/** Finds the section with most of the options, all of which this section has as well. */
const findBase = (section: Section, sections: ReadonlyArray<Section>): Section | undefined => {
  const texts = new Set(section.rows.map(toText))
  return sections
    .filter(({ rows }) =>
      rows.length >= worthNaming && rows.length < section.rows.length && rows.every((row) => texts.has(toText(row)))
    )
    .toSorted((one, other) => other.rows.length - one.rows.length)[0]
}

/** Writes `node/McpAuthNode.McpAuthNode.protect` as `McpAuthNode.protect`. */
const toName = (path: string): string => path.slice(path.lastIndexOf("/") + 1).replace(/^(\w+)\.\1\./, "$1.")

const toEntryPoint = (path: string): string =>
  path.startsWith("core/") ? "effect-mcp-auth" : `effect-mcp-auth/${path.slice(0, path.lastIndexOf("/"))}`

/** The heading of a section: the functions by entry point. */
const toHeading = ({ functions }: Section): string => {
  const entryPoints = [...new Set(functions.map(toEntryPoint))]
  return entryPoints.map((entryPoint) => {
    const names = functions.filter((path) => toEntryPoint(path) === entryPoint).map(toName)
    return `${names.join(", ")} (${entryPoint})`
  }).join("; ")
}

/** Returns the page. */
export const markdown = (options: OptionsByFunction): string => {
  const sections = toSections(options)
  const headings = sections.map(toHeading)
  const anchors = anchorsOf(["Options", ...headings]).slice(1)
  return [
    "# Options",
    "<!-- Written by `npm run docs` from the errors of the functions and the doc comments of their types (tools/options). -->",
    "The options of each function. An unknown option is an error, which names the closest one. The value is what the error of an invalid value " +
    "states, or the type if the value is checked when it is used. The default applies if the option is left out.",
    ...sections.flatMap((section, index) => {
      const base = findBase(section, sections)
      const inherited = new Set(base?.rows.map(toText))
      const heading = base === undefined ? undefined : headings[sections.indexOf(base)]
      return [
        `## ${headings[index]}`,
        ...(base === undefined
          ? []
          : [`The options of [${heading}](#${anchors[sections.indexOf(base)]}), and:`]),
        markdownTable(
          ["option", "value", "default", "meaning"],
          section.rows.filter((row) => !inherited.has(toText(row)))
        )
      ]
    })
  ].join("\n\n") + "\n"
}
