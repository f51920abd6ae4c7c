/**
 * Formats the help and the errors of the command line.
 *
 * @since 0.1.0
 */
import type * as CliError from "effect/cli/CliError"
import type * as CliOutput from "effect/cli/CliOutput"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { sanitize } from "../../protocol/RemoteText.ts"
import { wrap } from "./wrap.ts"

/**
 * The layout of help.
 *
 * @category models
 * @since 0.1.0
 */
export interface Layout {
  readonly color: boolean
  /** In columns. */
  readonly width: number
}

type Row = readonly [name: string, description: string]

/** The width of the column of names, with its margin. A longer name is on a separate line. */
const nameWidth = 26

const toRows = (rows: ReadonlyArray<Row>, width: number): ReadonlyArray<string> =>
  rows.flatMap(([name, description]) => {
    const lines = wrap(description, width - nameWidth).map((line) => " ".repeat(nameWidth) + line)
    return name.length <= nameWidth - 4
      ? [`  ${name.padEnd(nameWidth - 2)}${lines[0]!.slice(nameWidth)}`, ...lines.slice(1)]
      : [...wrap(name, width - 2).map((line) => `  ${line}`), ...lines]
  })

const toFlag = ({ aliases, description, name, type }: HelpDoc.FlagDoc): Row => [
  [`--${name}`, ...aliases].join(", ") + (type === "boolean" ? "" : ` ${type}`),
  Option.getOrElse(description, () => "")
]

/** The name of the root command is also its whole path. Its usage has two forms. */
const getUsages = ({ commandPath, usage }: HelpDoc.HelpDoc): ReadonlyArray<string> =>
  commandPath?.length === 1 ? [`${commandPath[0]} [flags] <url>`, `${commandPath[0]} <command> [flags]`] : [usage]

const toHelp = (doc: HelpDoc.HelpDoc, { color, width }: Layout): string => {
  const toHeading = (text: string) => color ? `\u001b[1m${text}\u001b[0m` : text
  const toSection = (title: string, lines: ReadonlyArray<string>) =>
    lines.length === 0 ? [] : [toHeading(title), ...lines, ""]
  const indent = (text: string) => wrap(text, width - 2).map((line) => `  ${line}`)
  const commands = doc.subcommands?.flatMap((group) => group.commands) ?? []
  return [
    ...indent(doc.description).map((line) => line.slice(2)),
    "",
    ...toSection("USAGE", getUsages(doc).flatMap(indent)),
    ...toSection("COMMANDS", toRows(commands.map((_): Row => [_.name, _.shortDescription ?? _.description]), width)),
    ...toSection(
      "ARGUMENTS",
      toRows((doc.args ?? []).map((_): Row => [`<${_.name}>`, Option.getOrElse(_.description, () => "")]), width)
    ),
    ...toSection("FLAGS", toRows(doc.flags.map(toFlag), width)),
    ...toSection("GLOBAL FLAGS", toRows((doc.globalFlags ?? []).map(toFlag), width)),
    ...toSection(
      "EXAMPLES",
      (doc.examples ?? []).flatMap(({ command, description }, index) => [
        ...(index === 0 ? [] : [""]),
        ...(description === undefined ? [] : indent(`# ${description}`)),
        ...indent(command)
      ])
    )
  ].join("\n").trimEnd()
}

const toFlagNames = ({ flags, globalFlags }: HelpDoc.HelpDoc): string =>
  [...flags, ...globalFlags ?? []].map(({ name }) => `--${name}`).join(", ")

/** Returns the lines of an error. For a misspelled flag, names the closest flag, or all flags if none is similar. */
const toLines = (error: CliError.CliError, doc: HelpDoc.HelpDoc): ReadonlyArray<string> => {
  const lines = error.message.split("\n").map((line) => line.trim()).filter((line) => line !== "")
  if (error._tag !== "UnrecognizedOption") return lines
  const advice = error.suggestions.length > 0
    ? `The closest one is ${error.suggestions.join(" or ")}`
    : `The flags are ${toFlagNames(doc)}`
  return [`${lines[0]}. ${advice}`]
}

/**
 * Creates a presenter that prints help to standard output, and the errors of a command line to standard error, with the usage
 * instead of the whole help.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePresenter = (layout: Layout): CliOutput.Presenter => ({
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Console.log(toHelp(event.helpDoc, layout))
      case "Version":
        return Console.log(`${event.name} ${event.version}`)
      case "InvalidInvocation":
        return Effect.forEach(
          [
            ...event.errors.flatMap((error) => toLines(error, event.helpDoc))
              .flatMap((line) => wrap(`effect-mcp-auth: ${sanitize(line)}`, layout.width)),
            ...getUsages(event.helpDoc).flatMap((usage) => wrap(`Usage: ${usage}`, layout.width)),
            ...wrap(`Run ${event.commandPath.join(" ")} --help for help.`, layout.width)
          ],
          (line) => Console.error(line),
          { discard: true }
        )
    }
  }
})
