/* Reads the parts of a page that a browser without scripts uses: forms, the heading and a refresh. */

/**
 * A button that sends a form.
 *
 * @category models
 * @since 0.1.0
 */
export interface Button {
  /** The text that a person reads. */
  readonly text: string
  /** The name of the field that the button sends. Default: the button sends none. */
  readonly name: string | undefined
  readonly value: string
}

/**
 * A form of a page.
 *
 * @category models
 * @since 0.1.0
 */
export interface Form {
  readonly action: string
  readonly method: "GET" | "POST"
  /** The names of the fields with their values in the page. */
  readonly fields: Readonly<Record<string, string>>
  /** The types of the fields, such as `hidden`, `text` or `password`. */
  readonly types: Readonly<Record<string, string>>
  readonly buttons: ReadonlyArray<Button>
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: "\"",
  apos: "'",
  nbsp: " "
}

/** Decodes the character references of a text. */
const decode = (text: string): string =>
  text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })

/** Returns the visible text of a fragment. */
const toText = (html: string): string => decode(html.replaceAll(/<[^>]*>/g, " ")).replaceAll(/\s+/g, " ").trim()

/** Returns the attributes of a tag. Names are in lower case, and an attribute without a value has the value "". */
const attributesOf = (tag: string): Readonly<Record<string, string>> => {
  const attributes: Record<string, string> = {}
  const content = tag.replace(/^<[\w-]+/, "").replace(/\/?>$/, "")
  for (
    const [, name, double, single, bare] of content.matchAll(
      /([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g
    )
  ) {
    attributes[name!.toLowerCase()] ??= decode(double ?? single ?? bare ?? "")
  }
  return attributes
}

/** The attributes of a tag in a regular expression. A quoted value can contain `>`. */
const rest = `(?:"[^"]*"|'[^']*'|[^>"'])*`

const formTag = new RegExp(`(<form\\b${rest}>)([^]*?)</form\\s*>`, "gi")
const fieldTag = new RegExp(
  `<(input|button|textarea|select)\\b(${rest})>(?:((?:(?!</?\\1\\b)[^])*)</\\1\\s*>)?`,
  "gi"
)
const optionTag = new RegExp(`<option\\b(${rest})>([^<]*)`, "gi")
const metaTag = new RegExp(`<meta\\b${rest}>`, "gi")

const submits: ReadonlySet<string> = new Set(["submit", "image"])

const readForm = (open: string, content: string, page: string): Form => {
  const form = attributesOf(open)
  const fields: Record<string, string> = {}
  const types: Record<string, string> = {}
  const buttons: Array<Button> = []
  const add = (name: string | undefined, type: string, value: string) => {
    if (name === undefined || name === "") return
    fields[name] = value
    types[name] = type
  }
  for (const [, element, own, inner = ""] of content.matchAll(fieldTag)) {
    const { checked, disabled, name, type = "", value } = attributesOf(`<x ${own}>`)
    if (disabled !== undefined) continue
    const kind = type.toLowerCase()
    switch (element!.toLowerCase()) {
      case "input":
        if (submits.has(kind)) buttons.push({ text: value ?? "Submit", name, value: value ?? "" })
        else if (kind === "checkbox" || kind === "radio") {
          if (checked !== undefined) add(name, kind, value ?? "on")
        } else if (kind !== "button" && kind !== "reset") add(name, kind || "text", value ?? "")
        break
      case "button":
        if (kind === "" || kind === "submit") buttons.push({ text: toText(inner), name, value: value ?? "" })
        break
      case "textarea":
        add(name, "textarea", decode(inner))
        break
      default: {
        const options = [...inner.matchAll(optionTag)].map(([, tag, text]) => ({
          ...attributesOf(`<x ${tag}>`),
          text: toText(text!)
        })) as ReadonlyArray<{ readonly selected?: string; readonly value?: string; readonly text: string }>
        const chosen = options.find(({ selected }) => selected !== undefined) ?? options[0]
        if (chosen !== undefined) add(name, "select", chosen.value ?? chosen.text)
      }
    }
  }
  return {
    action: new URL(form["action"] || page, page).href,
    method: form["method"]?.toUpperCase() === "POST" ? "POST" : "GET",
    fields,
    types,
    buttons
  }
}

/** Returns the part of a page that is neither a comment nor a script. */
const visible = (html: string): string =>
  html.replaceAll(/<!--[^]*?-->/g, "").replaceAll(/<(script|style|template)\b[^]*?<\/\1\s*>/gi, "")

/** Returns the forms of a page. `page` is its URL. */
export const readForms = (html: string, page: string): ReadonlyArray<Form> =>
  [...visible(html).matchAll(formTag)].map(([, open, content]) => readForm(open!, content!, page))

/** Returns the text of the first heading, or else the title. */
export const readHeading = (html: string): string | undefined => {
  const [, heading] = /<h[1-6]\b[^>]*>([^]*?)<\/h[1-6]\s*>/i.exec(visible(html)) ??
    /<title\b[^>]*>([^]*?)<\/title\s*>/i.exec(html) ?? []
  return heading === undefined ? undefined : toText(heading)
}

/** Returns the URL to which a page refreshes itself. `page` is its URL. */
export const readRefresh = (html: string, page: string): string | undefined => {
  for (const [tag] of visible(html).matchAll(metaTag)) {
    const { content = "", "http-equiv": equivalent } = attributesOf(tag)
    if (equivalent?.toLowerCase() !== "refresh") continue
    const target = /^\s*\d+(?:\.\d+)?\s*[;,]\s*(?:url\s*=\s*)?["']?([^"']+)["']?\s*$/i.exec(content)?.[1]
    if (target !== undefined && URL.canParse(target, page)) return new URL(target, page).href
  }
  return undefined
}
