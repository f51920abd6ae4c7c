/**
 * Requests the report and shows it, in the browser. The page contains the source text of `program`, so `program` can use only
 * its parameter and the globals of the browser.
 *
 * @since 0.1.0
 */
import type { Report } from "../../provider/report/Report.ts"
import type { makeRenderer as MakeRenderer } from "./renderer.ts"

/**
 * Runs the page in the browser.
 *
 * @category constants
 * @since 0.1.0
 */
export const program = (makeRenderer: typeof MakeRenderer): void => {
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
  const { element, outcomes, toHeader, toRules } = makeRenderer()

  const action = (text: string, run: () => void | Promise<void>) => {
    const node = element("button", { type: "button", class: "plain" }, text)
    node.addEventListener("click", () => void run())
    return node
  }

  /**
   * Writes a text into the status element, which screen readers announce. With `screen-reader`, the text is invisible, because
   * the page already shows it elsewhere.
   */
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
    // A link from another site must not send requests into this network without a click.
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
