/** The changelog as text: moves the section "Unreleased" and the texts of changesets into the section of a version. */

/** The kinds of changes, in the order of the changelog. */
export const kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"] as const

export type Kind = typeof kinds[number]

export interface Change {
  readonly kind: Kind
  /** Markdown, without the mark of a list. */
  readonly text: string
}

/** Reads the text of a changeset: its kind, a colon, and what users notice. Throws if it has no kind. */
export const parseChange = (id: string, summary: string): Change => {
  const [, kind, text] = /^([A-Z][a-z]+):\s+([\s\S]+)$/.exec(summary.trim()) ?? []
  const known = kinds.find((it) => it === kind)
  if (known === undefined || text === undefined) {
    throw new Error(
      `.changeset/${id}.md: the text begins with ${JSON.stringify(summary.trim().slice(0, 30))}. ` +
        `Begin it with one of: ${kinds.map((it) => `${it}:`).join(", ")}`
    )
  }
  return { kind: known, text: text.trim() }
}

/** A section of level 2: its heading, and the text up to the next one. */
interface Section {
  readonly heading: string
  readonly body: string
}

const split = (text: string): readonly [intro: string, sections: ReadonlyArray<Section>] => {
  const [intro = "", ...parts] = text.split(/^(?=## )/m)
  return [
    intro,
    parts.map((part) => {
      const end = part.indexOf("\n")
      return end === -1 ? { heading: part, body: "" } : { heading: part.slice(0, end), body: part.slice(end + 1) }
    })
  ]
}

const unreleased = "## [Unreleased]"

/** Whether the changelog has a section for a version. */
export const hasVersion = (text: string, version: string): boolean =>
  split(text)[1].some(({ heading }) => heading.startsWith(`## [${version}]`))

/** Returns the body of the section of a version, or `undefined` if there is none. */
export const entryOf = (text: string, version: string): string | undefined =>
  split(text)[1].find(({ heading }) => heading.startsWith(`## [${version}]`))?.body.trim()

const itemOf = ({ text }: Change): string => `- ${text.replaceAll("\n", "\n  ").replace(/[ \t]+$/gm, "")}`

/** Adds changes to the subsections of a section. A subsection that does not exist is added in the order of `kinds`. */
const withChanges = (body: string, changes: ReadonlyArray<Change>): string => {
  const [intro = "", ...parts] = body.split(/^(?=### )/m)
  const subsections = parts.map((part) => {
    const end = part.indexOf("\n")
    return { kind: part.slice(4, end === -1 ? undefined : end).trim(), text: end === -1 ? "" : part.slice(end).trim() }
  })
  const added = kinds.flatMap((kind) => {
    const items = changes.filter((change) => change.kind === kind).map(itemOf)
    return items.length === 0 ? [] : [{ kind: kind as string, text: items.join("\n") }]
  })
  const names = [
    ...kinds.filter((kind) => [...subsections, ...added].some((it) => it.kind === kind)),
    ...subsections.map(({ kind }) => kind).filter((kind) => !kinds.some((it) => it === kind))
  ]
  const merged = names.map((kind) => {
    const texts = [...subsections, ...added].filter((it) => it.kind === kind).map(({ text }) => text)
    return `### ${kind}\n\n${texts.join("\n")}`
  })
  return [intro.trim(), ...merged].filter((text) => text !== "").join("\n\n")
}

/**
 * Returns the changelog with a section for the version: the text of the section "Unreleased", if it exists, and the changes. Throws if
 * the version has a section, or if there is no change.
 */
export const release = (
  text: string,
  { changes, date, version }: {
    readonly version: string
    readonly date: string
    readonly changes: ReadonlyArray<Change>
  }
): string => {
  if (hasVersion(text, version)) {
    throw new Error(`CHANGELOG.md has a section for ${version}. Add a changeset: npm run change`)
  }
  const [intro, sections] = split(text)
  const open = sections.find(({ heading }) => heading === unreleased)
  const body = withChanges(open?.body ?? "", changes)
  if (body === "") throw new Error("There is no change to release. Add a changeset: npm run change")
  const others = sections.filter((section) => section !== open)
  return [
    `${intro.trimEnd()}\n`,
    `## [${version}] - ${date}\n\n${body}\n`,
    ...others.map(({ body, heading }) => `${heading}\n\n${body.trim()}\n`)
  ].join("\n")
}
