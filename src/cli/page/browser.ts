/**
 * The program that runs in the browser: requests the report and shows it. The page contains the text of the function, so the
 * function uses nothing outside itself. It writes text, never markup, so that no remote text becomes a part of the page.
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
  const button = byId<HTMLButtonElement>("check")
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
    "access-token": "Access token"
  }
  const outcomes: Readonly<Record<Report["outcome"], string>> = { pass: "✓", fail: "✗", inconclusive: "?" }

  /** An option that a server does not offer is not a failure. */
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

  const action = (text: string, run: () => void | Promise<void>) => {
    const node = element("button", { type: "button", class: "plain" }, text)
    node.addEventListener("click", () => void run())
    return node
  }

  /** Shows and announces a text, or only announces it if the page already shows the same. */
  const announce = (text: string, only: "visible" | "screen-reader" = "visible") => {
    status.classList.toggle("screen-reader", only === "screen-reader")
    status.textContent = text
  }

  const copy = async (what: string, text: string) => {
    try {
      await navigator.clipboard.writeText(text)
      announce(`${what} copied.`)
    } catch {
      announce("The browser does not allow this page to copy. Save the JSON instead.")
    }
  }

  const save = (report: Report) => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(report, undefined, 2)], { type: "application/json" }))
    const name = report.subject.replace(/^https?:\/\//, "").replace(/[^a-zA-Z0-9.-]+/g, "-")
    const link = element("a", { href: url, download: `${name}.json` })
    link.click()
    URL.revokeObjectURL(url)
    announce("JSON saved.")
  }

  const show = (report: Report) => {
    result.replaceChildren(
      ...toHeader(report, 2, "subject"),
      element(
        "p",
        { class: "actions" },
        action("Copy JSON", () => copy("JSON", JSON.stringify(report, undefined, 2))),
        action("Save JSON", () => save(report)),
        action("Copy link", () => copy("Link", location.href)),
        action("Print", () => window.print())
      ),
      ...toRules(report, 3)
    )
    result.hidden = false
    document.title = `${outcomes[report.outcome]} ${report.subject} – ${title}`
    result.focus({ preventScroll: true })
    result.scrollIntoView({ block: "start" })
  }

  const showProblem = (detail: string, atTarget: boolean) => {
    problem.textContent = detail
    problem.hidden = false
    if (atTarget) {
      target.setAttribute("aria-invalid", "true")
      target.focus()
    }
  }

  const getKind = () => new FormData(form).get("kind")?.toString() ?? "auto"

  let isRunning = false
  const check = async () => {
    if (isRunning) return
    problem.hidden = true
    problem.textContent = ""
    target.removeAttribute("aria-invalid")
    const typed = target.value.trim()
    if (typed === "") {
      return showProblem("The URL is missing. Write the URL of a server, such as https://auth.example.com", true)
    }
    // Users also write "auth.example.com" or "localhost:3000".
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(typed)) target.value = `https://${typed}`
    else target.value = typed
    const query = new URLSearchParams({ target: target.value, kind: getKind(), spec: spec.value }).toString()
    history.replaceState(null, "", `#${query}`)
    isRunning = true
    result.hidden = true
    result.replaceChildren()
    button.setAttribute("aria-disabled", "true")
    document.title = title
    announce(`Checking ${target.value}. This can take 30 seconds …`)
    try {
      const response = await fetch(`report?${query}`, { headers: { accept: "application/json" }, cache: "no-store" })
      const body = await response.json() as Report | { readonly error: string; readonly detail: string }
      if ("error" in body) {
        announce("")
        showProblem(body.detail, body.error === "invalid-input" || body.error === "not-public")
      } else {
        announce(`Done. ${body.summary}.`, "screen-reader")
        show(body)
      }
    } catch {
      announce("")
      showProblem("The server of this page does not respond. Check that effect-mcp-auth page is still running.", false)
    } finally {
      isRunning = false
      button.removeAttribute("aria-disabled")
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault()
    void check()
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
    // A foreign link must not send requests into this network without a click.
    if (local) {
      announce("The link is filled in. Press Check to continue.")
      button.focus()
    } else {
      void check()
    }
  }
  window.addEventListener("hashchange", readLink)
  readLink()
}
