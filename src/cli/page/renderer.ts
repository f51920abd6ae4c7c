/**
 * Turns a report into elements of the page, in the browser. The page contains the source text of `makeRenderer`, so
 * `makeRenderer` can use only the globals of the browser. It inserts text as text nodes, so that text from a checked server
 * cannot become markup.
 *
 * @since 0.1.0
 */
import type { Finding, Report } from "../../provider/report/Report.ts"

/**
 * Creates the functions that turn a report into elements.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeRenderer = () => {
  type Child = Node | string
  const element = (name: string, attributes: Readonly<Record<string, string>>, ...children: ReadonlyArray<Child>) => {
    const node = document.createElement(name)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
    node.append(...children)
    return node
  }

  const words: Readonly<Record<Finding["verdict"], readonly [string, string]>> = {
    fail: ["✗", "fail"],
    inconclusive: ["?", "inconclusive"],
    skipped: ["–", "skipped"],
    pass: ["✓", "pass"]
  }
  const order = ["fail", "inconclusive", "skipped", "pass"] as const
  const levels: Readonly<Record<Finding["level"], string>> = {
    MUST: "required by the standards",
    SHOULD: "recommended",
    MAY: "optional"
  }
  const kinds: Readonly<Record<Report["kind"], string>> = {
    "authorization-server": "Authorization server",
    "mcp-server": "MCP server",
    "access-token": "Access token",
    server: "Server"
  }
  const outcomes: Readonly<Record<Report["outcome"], string>> = { pass: "✓", fail: "✗", inconclusive: "?" }

  /**
   * Returns the symbol and the word of a verdict. A MAY that fails is an option that the server does not offer, not a failure.
   */
  const describeVerdict = ({ level, verdict }: Finding): readonly [string, string] =>
    verdict === "fail" && level === "MAY"
      ? ["·", "not offered"]
      : verdict === "fail" && level === "SHOULD"
      ? ["!", "fail"]
      : words[verdict]

  const toRule = (finding: Finding): HTMLElement => {
    const [symbol, word] = describeVerdict(finding)
    const head = [
      element("span", { class: "verdict" }, element("span", { "aria-hidden": "true", class: "symbol" }, symbol), word),
      element("span", { class: "title" }, finding.title)
    ]
    const cite = element("p", { class: "cite" }, element("cite", {}, finding.standard), `: “${finding.sentence}”`)
    const why = element("p", {}, finding.why)
    const attributes = { class: `rule ${finding.level} ${finding.verdict}` }
    const open = finding.verdict === "fail" || finding.verdict === "inconclusive"
    if (!open || finding.level === "MAY") {
      const change = finding.change === undefined
        ? []
        : [element("p", { class: "change" }, element("strong", {}, "To offer it: "), finding.change)]
      return element("li", attributes, element("details", {}, element("summary", {}, ...head), why, ...change, cite))
    }
    const change = finding.change === undefined
      ? []
      : [element("p", { class: "change" }, element("strong", {}, "Change: "), finding.change)]
    return element("li", attributes, element("p", { class: "head" }, ...head), why, ...change, cite)
  }

  const toLevel = (report: Report, level: Finding["level"], heading: number): ReadonlyArray<HTMLElement> => {
    const findings = report.findings.filter((finding) => finding.level === level)
    if (findings.length === 0) return []
    const sorted = order.flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict))
    const counts = new Map<string, number>()
    for (const finding of sorted) {
      const [, word] = describeVerdict(finding)
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    const counted = [...counts].map(([word, count]) => `${count} ${word}`).join(", ")
    return [
      element(`h${heading}`, {}, level, element("span", { class: "aside" }, ` ${levels[level]}: ${counted}`)),
      element("ul", { class: "rules" }, ...sorted.map(toRule))
    ]
  }

  const toHeader = (report: Report, heading: number, id: string): ReadonlyArray<HTMLElement> => [
    element(`h${heading}`, { id, class: "subject" }, report.subject),
    element(
      "p",
      { class: `outcome ${report.outcome}` },
      element("span", { "aria-hidden": "true", class: "symbol" }, outcomes[report.outcome]),
      element("strong", {}, report.summary)
    ),
    element(
      "p",
      { class: "aside" },
      [
        kinds[report.kind] + (report.provider === undefined ? "" : ` (${report.provider})`),
        `checked against MCP ${report.revision}`,
        new Date(report.at).toLocaleString()
      ].join(" · ")
    )
  ]

  const toRules = (report: Report, heading: number): ReadonlyArray<HTMLElement> => [
    ...(["MUST", "SHOULD", "MAY"] as const).flatMap((level) => toLevel(report, level, heading)),
    ...(report.notes.length === 0
      ? []
      : [
        element(`h${heading}`, {}, "Notes"),
        element("ul", { class: "notes" }, ...report.notes.map((note) => element("li", {}, note)))
      ]),
    ...report.parts.flatMap((part, index) => {
      const id = `part-${heading}-${index}`
      return [element(
        "section",
        { "aria-labelledby": id, class: "part" },
        ...toHeader(part, heading, id),
        ...toRules(part, Math.min(heading + 1, 6))
      )]
    })
  ]

  return { element, outcomes, toHeader, toRules }
}
