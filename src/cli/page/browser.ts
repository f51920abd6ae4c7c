/**
 * What runs in the browser: asks for the report and shows it. The function is sent as its text, so it may use nothing
 * around it; and it writes texts, never markup, so nothing that a server says becomes a part of the page.
 *
 * @since 0.1.0
 */
import type { Finding, Report } from "../../provider/report/Report.ts"

/**
 * The program of the page.
 *
 * @category constants
 * @since 0.1.0
 */
export const program = (): void => {
  const byId = <A extends HTMLElement>(id: string): A => document.getElementById(id) as A
  const form = byId<HTMLFormElement>("form")
  const target = byId<HTMLInputElement>("target")
  const spec = byId<HTMLSelectElement>("spec")
  const button = byId<HTMLButtonElement>("look")
  const status = byId("status")
  const problem = byId("problem")
  const result = byId("result")
  const local = document.documentElement.dataset["local"] === "true"
  const title = document.title

  type Child = Node | string
  const element = (name: string, attributes: Readonly<Record<string, string>>, ...children: ReadonlyArray<Child>) => {
    const node = document.createElement(name)
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
    node.append(...children)
    return node
  }

  const words: Readonly<Record<Finding["verdict"], readonly [string, string]>> = {
    failed: ["✗", "not kept"],
    unknown: ["?", "cannot tell"],
    skipped: ["–", "not looked at"],
    passed: ["✓", "kept"]
  }
  const order = ["failed", "unknown", "skipped", "passed"] as const
  const levels: Readonly<Record<Finding["level"], string>> = {
    MUST: "what the standards require",
    SHOULD: "what they recommend",
    MAY: "what they leave open"
  }
  const kinds: Readonly<Record<Report["kind"], string>> = {
    "authorization-server": "Authorization server",
    "mcp-server": "MCP server",
    "access-token": "Access token"
  }
  const outcomes: Readonly<Record<Report["outcome"], string>> = { fits: "✓", "does-not-fit": "✗", "cannot-tell": "?" }

  /** What is only open to a server is no fault of one that leaves it. */
  const verdictOf = ({ level, verdict }: Finding): readonly [string, string] =>
    verdict === "failed" && level === "MAY"
      ? ["·", "not offered"]
      : verdict === "failed" && level === "SHOULD"
      ? ["!", "not kept"]
      : words[verdict]

  const ruleOf = (finding: Finding): HTMLElement => {
    const [symbol, word] = verdictOf(finding)
    const head = [
      element("span", { class: "verdict" }, element("span", { "aria-hidden": "true", class: "symbol" }, symbol), word),
      element("span", { class: "title" }, finding.title)
    ]
    const cite = element("p", { class: "cite" }, element("cite", {}, finding.standard), `: “${finding.sentence}”`)
    const why = element("p", {}, finding.why)
    const attributes = { class: `rule ${finding.level} ${finding.verdict}` }
    const open = finding.verdict === "failed" || finding.verdict === "unknown"
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

  const levelOf = (report: Report, level: Finding["level"], heading: number): ReadonlyArray<HTMLElement> => {
    const findings = report.findings.filter((finding) => finding.level === level)
    if (findings.length === 0) return []
    const sorted = order.flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict))
    const counts = new Map<string, number>()
    for (const finding of sorted) {
      const [, word] = verdictOf(finding)
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    const counted = [...counts].map(([word, count]) => `${count} ${word}`).join(", ")
    return [
      element(`h${heading}`, {}, level, element("span", { class: "aside" }, ` ${levels[level]}: ${counted}`)),
      element("ul", { class: "rules" }, ...sorted.map(ruleOf))
    ]
  }

  const reportOf = (report: Report, heading: number, id: string): ReadonlyArray<HTMLElement> => [
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
        `against MCP ${report.revision}`,
        new Date(report.at).toLocaleString()
      ].join(" · ")
    )
  ]

  const rulesOf = (report: Report, heading: number): ReadonlyArray<HTMLElement> => [
    ...(["MUST", "SHOULD", "MAY"] as const).flatMap((level) => levelOf(report, level, heading)),
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
        ...reportOf(part, heading, id),
        ...rulesOf(part, Math.min(heading + 1, 6))
      )]
    })
  ]

  const action = (text: string, run: () => void | Promise<void>) => {
    const node = element("button", { type: "button", class: "plain" }, text)
    node.addEventListener("click", () => void run())
    return node
  }

  /** Seen and heard; or only heard, where the page shows the same. */
  const say = (text: string, only: "seen-and-heard" | "heard" = "seen-and-heard") => {
    status.classList.toggle("heard", only === "heard")
    status.textContent = text
  }

  const copy = async (what: string, text: string) => {
    try {
      await navigator.clipboard.writeText(text)
      say(`${what} copied.`)
    } catch {
      say("The browser does not let this page copy. The JSON can be saved instead.")
    }
  }

  const save = (report: Report) => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(report, undefined, 2)], { type: "application/json" }))
    const name = report.subject.replace(/^https?:\/\//, "").replace(/[^a-zA-Z0-9.-]+/g, "-")
    const link = element("a", { href: url, download: `${name}.json` })
    link.click()
    URL.revokeObjectURL(url)
    say("JSON saved.")
  }

  const show = (report: Report) => {
    result.replaceChildren(
      ...reportOf(report, 2, "subject"),
      element(
        "p",
        { class: "actions" },
        action("Copy JSON", () => copy("JSON", JSON.stringify(report, undefined, 2))),
        action("Save JSON", () => save(report)),
        action("Copy link", () => copy("Link", location.href)),
        action("Print", () => window.print())
      ),
      ...rulesOf(report, 3)
    )
    result.hidden = false
    document.title = `${outcomes[report.outcome]} ${report.subject} – ${title}`
    result.focus({ preventScroll: true })
    result.scrollIntoView({ block: "start" })
  }

  const complain = (detail: string, atTarget: boolean) => {
    problem.textContent = detail
    problem.hidden = false
    if (atTarget) {
      target.setAttribute("aria-invalid", "true")
      target.focus()
    }
  }

  const kindChosen = () => new FormData(form).get("kind")?.toString() ?? "auto"

  let looking = false
  const look = async () => {
    if (looking) return
    problem.hidden = true
    problem.textContent = ""
    target.removeAttribute("aria-invalid")
    const typed = target.value.trim()
    if (typed === "") return complain("Which server? Write its URL, such as https://auth.example.com", true)
    // "auth.example.com" and "localhost:3000" are what people type.
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(typed)) target.value = `https://${typed}`
    else target.value = typed
    const query = new URLSearchParams({ target: target.value, kind: kindChosen(), spec: spec.value }).toString()
    history.replaceState(null, "", `#${query}`)
    looking = true
    result.hidden = true
    result.replaceChildren()
    button.setAttribute("aria-disabled", "true")
    document.title = title
    say(`Looking at ${target.value}, which may take half a minute …`)
    try {
      const response = await fetch(`report?${query}`, { headers: { accept: "application/json" }, cache: "no-store" })
      const body = await response.json() as Report | { readonly error: string; readonly detail: string }
      if ("error" in body) {
        say("")
        complain(body.detail, body.error === "not-usable" || body.error === "not-public")
      } else {
        say(`Done. ${body.summary}.`, "heard")
        show(body)
      }
    } catch {
      say("")
      complain("The program behind this page does not answer. Is effect-mcp-auth page still running?", false)
    } finally {
      looking = false
      button.removeAttribute("aria-disabled")
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault()
    void look()
  })

  let opened: ReadonlyArray<HTMLDetailsElement> = []
  window.addEventListener("beforeprint", () => {
    opened = [...result.querySelectorAll<HTMLDetailsElement>("details:not([open])")]
    for (const details of opened) details.open = true
  })
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false
  })

  const readLink = () => {
    const link = new URLSearchParams(location.hash.slice(1))
    const linked = link.get("target")
    if (linked === null || linked === "") return
    target.value = linked
    for (const option of spec.options) if (option.value === link.get("spec")) option.selected = true
    for (const radio of form.querySelectorAll<HTMLInputElement>("input[name=kind]")) {
      if (radio.value === link.get("kind")) radio.checked = true
    }
    // A link of somebody else's must not send requests into this network by itself.
    if (local) {
      say("The link is filled in. Press Look to go on.")
      button.focus()
    } else {
      void look()
    }
  }
  window.addEventListener("hashchange", readLink)
  readLink()
}
