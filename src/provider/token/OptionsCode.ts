import { sanitizeLines } from "../../protocol/RemoteText.ts"
import * as Audience from "../../verification/claims/Audience.ts"
import type { ServerOptions } from "./PresentToken.ts"
import type { Recipient, ServerEntry } from "./ServerEntry.ts"

/** The width at which code is broken into lines, in columns. A text that is longer stays on one line. */
const width = 60

/** A call of a function of this library, as code. */
class Call {
  readonly name: string
  readonly argument: unknown
  constructor(name: string, argument: unknown) {
    this.name = name
    this.argument = argument
  }
}

/** Writes data and calls as TypeScript. `indent` is the indentation of the line, `taken` the length of the text before. */
const writeCode = (value: unknown, indent: string, taken: number): string => {
  const inline = writeInline(value)
  if (indent.length + taken + inline.length <= width || typeof value === "string") return inline
  if (value instanceof Call) return `${value.name}(${writeCode(value.argument, indent, taken + value.name.length + 1)})`
  const inner = `${indent}  `
  const [open, lines, close] = Array.isArray(value)
    ? ["[", value.map((item) => inner + writeCode(item, inner, 1)), "]"]
    : [
      "{",
      Object.entries(value as object).map(([name, member]) =>
        `${inner}${name}: ${writeCode(member, inner, name.length + 3)}`
      ),
      "}"
    ]
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`
}

const writeInline = (value: unknown): string => {
  if (value instanceof Call) return `${value.name}(${writeInline(value.argument)})`
  if (Array.isArray(value)) return `[${value.map(writeInline).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  return `{ ${Object.entries(value).map(([name, member]) => `${name}: ${writeInline(member)}`).join(", ")} }`
}

/** The audience rule of a recipient, as a value and as data for its code. */
const ruleFor = ({ audiences, clientIds }: Recipient): { readonly rule: Audience.Audience; readonly code: Call } => {
  type Values = readonly [string, ...ReadonlyArray<string>]
  const rules = [
    ...(audiences.length === 0
      ? []
      : [{ rule: Audience.oneOf(audiences as Values), code: new Call("Audience.oneOf", audiences) }]),
    ...(clientIds.length === 0
      ? []
      : [{ rule: Audience.clientIds(clientIds as Values), code: new Call("Audience.clientIds", clientIds) }])
  ]
  const [first, second] = rules
  return second === undefined ? first! : {
    rule: Audience.all([first!.rule, second.rule]),
    code: new Call("Audience.all", rules.map(({ code }) => code))
  }
}

/** The options of a server, as a value for the gate and as TypeScript for people. Both are made of the same data. */
export interface WrittenOptions {
  readonly options: ServerOptions
  /** `undefined` if a text contains characters that would not be shown as they are. */
  readonly code: string | undefined
}

/** Creates the options of a server that accepts the tokens of an authorization server for this recipient. */
export const writeOptions = (
  resource: string,
  entry: ServerEntry,
  recipient: Recipient,
  scopes: ServerOptions["scopes"]
): WrittenOptions => {
  const audience = entry.isBound ? undefined : ruleFor(recipient)
  const { profile } = entry
  const call = new Call("AuthLayer.make", {
    resource,
    authorizationServers: [profile === undefined ? entry.input : new Call(`Profiles.${profile.name}`, profile.options)],
    ...(audience === undefined ? {} : { audience: audience.code }),
    scopes
  })
  const code = writeCode(call, "", 0)
  return {
    options: {
      resource,
      authorizationServers: [entry.input],
      ...(audience === undefined ? {} : { audience: audience.rule }),
      scopes
    },
    code: sanitizeLines(code) === code ? code : undefined
  }
}
