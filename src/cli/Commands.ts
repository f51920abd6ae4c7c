/**
 * Defines the commands, their options and their help.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Terminal from "effect/Terminal"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as Check from "../provider/check/Check.ts"
import * as Doctor from "../provider/doctor/Doctor.ts"
import { shown } from "../provider/report/Json.ts"
import * as Report from "../provider/report/Report.ts"
import { type Revision, revisions } from "../provider/report/Rule.ts"
import * as ServerReport from "../provider/report/ServerReport.ts"
import * as TokenReport from "../provider/token/TokenReport.ts"
import { call } from "./call/CallCommand.ts"
import * as CheckServer from "./CheckServer.ts"
import { ExitCode } from "./ExitCode.ts"
import { type Format, formats, write } from "./format/reportFormat.ts"
import * as Network from "./Network.ts"
import * as Page from "./page/Page.ts"
import * as Progress from "./Progress.ts"
import { proxy } from "./ProxyCommand.ts"
import * as Secret from "./Secret.ts"
import * as TokenFlags from "./TokenFlags.ts"

const spec = Flag.Literals("spec", revisions).pipe(
  // The option of the library is called `revision`.
  Flag.withAlias("revision"),
  Flag.withDescription("The revision of MCP to check against. Default: the newest"),
  Flag.withDefault(revisions[0])
)

const format = Flag.Literals("format", formats).pipe(
  Flag.withAlias("f"),
  Flag.withDescription("The format of the report. Default: table"),
  Flag.withDefault("table")
)

const verbose = Flag.Boolean("verbose").pipe(
  Flag.withDescription("Explain the rules that pass as well"),
  Flag.withDefault(false)
)

const timeout = Flag.Finite("timeout").pipe(
  Flag.withDescription("The time limit of the command, in seconds. Default: 30"),
  Flag.withMetavar("seconds"),
  Flag.filter(
    (seconds) => seconds > 0 && seconds <= 600,
    () => "a number of seconds greater than 0 and at most 600"
  ),
  Flag.withDefault(30)
)

const token = Flag.Redacted("token").pipe(
  Flag.withDescription(
    "An access token to check. Use - to read it from standard input, which keeps it out of process lists"
  ),
  Flag.withMetavar("token"),
  Flag.optional
)

interface Printing {
  readonly format: Format
  readonly verbose: boolean
}

/** The width of the output in columns. Default: 100, if standard output is not a terminal. */
const getWidth = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const columns = yield* terminal.columns
  return columns > 0 ? columns : 100
})

/** Prints the report and sets the exit code. */
const printReport = Effect.fnUntraced(function*(report: Report.Report, { format, verbose }: Printing) {
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const width = yield* getWidth
  yield* Console.log(write(format, report, { color: canColor, width, verbose }))
  const code = yield* ExitCode
  yield* Ref.set(code, Report.toExitCode(report))
})

const isLoopback = (url: string): boolean => URL.canParse(url) && HttpUri.isLoopback(new URL(url).hostname)

interface Run {
  readonly url: string
  readonly kind: Report.Report["kind"]
  readonly revision: Revision
  readonly timeout: number
}

/**
 * Runs a check within the time limit, shows its steps, and prints its report. If there is none, prints a report that says why,
 * except for people: they read the error.
 */
const printChecked = <R>(
  { kind, revision, timeout, url }: Run,
  printing: Printing,
  check: (
    onStep: (step: string) => Effect.Effect<void>
  ) => Effect.Effect<Report.Report, Check.Unreachable | Check.InvalidInput, R>
) =>
  withTimeout(Progress.during(check), timeout, url).pipe(
    Effect.catchDefect((defect) =>
      Effect.fail(
        new Check.Unreachable({ url, detail: `cannot be checked, because of an internal error: ${String(defect)}` })
      )
    ),
    Effect.catchTag(
      "Unreachable",
      Effect.fnUntraced(function*({ detail: cause }) {
        const proxy = isLoopback(url) ? undefined : yield* Network.describeUnusedProxy(cause)
        const detail = proxy === undefined ? cause : `${cause}. ${proxy}`
        if (printing.format !== "table") {
          const now = yield* Clock.currentTimeMillis
          yield* printReport(ServerReport.fromNoResponse({ url, revision, now }, kind, detail), printing)
        }
        return yield* new Check.Unreachable({ url, detail })
      })
    ),
    Effect.flatMap((report) => printReport(report, printing))
  )

const withTimeout = <A, E, R>(self: Effect.Effect<A, E, R>, seconds: number, url: string) =>
  self.pipe(
    Effect.timeoutOrElse({
      duration: Duration.seconds(seconds),
      orElse: () =>
        Effect.fail(
          new Check.Unreachable({
            url,
            detail: `did not finish within ${seconds} seconds. Set --timeout for more time`
          })
        )
    })
  )

const check = Command.make(
  "check",
  {
    issuer: Argument.String("issuer").pipe(
      Argument.withDescription("The issuer, such as https://auth.example.com"),
      Argument.optional
    ),
    spec,
    format,
    verbose,
    timeout,
    document: Flag.String("document").pipe(
      Flag.withDescription("A saved metadata document to check without a network. Repeat it for several documents"),
      Flag.withMetavar("file"),
      Flag.atLeast(0)
    ),
    keys: Flag.String("keys").pipe(
      Flag.withDescription("A saved key set for --document"),
      Flag.withMetavar("file"),
      Flag.optional
    ),
    token,
    ...TokenFlags.recipient
  },
  Effect.fnUntraced(function*({ document, issuer, keys, spec: revision, timeout, token, ...flags }) {
    const printed: Printing = flags
    const named = Option.getOrUndefined(issuer)
    if (Option.isNone(token)) yield* TokenFlags.checkUnused(flags)
    if (document.length > 0) {
      if (Option.isSome(token)) {
        return yield* new Check.InvalidInput({
          detail: "--document and --token cannot be combined. Check the document and the token separately"
        })
      }
      const texts = yield* Effect.forEach(document, (name) => Effect.map(readFile(name), (text) => ({ name, text })))
      const jwks = Option.isNone(keys) ? undefined : yield* readJson(keys.value)
      const now = yield* Clock.currentTimeMillis
      const report = Check.checkDocuments(texts, { issuer: named, jwks, now, revision })
      return report instanceof Check.InvalidInput ? yield* report : yield* printReport(report, printed)
    }
    if (named === undefined && Option.isNone(token)) {
      return yield* new Check.InvalidInput({ detail: "missing argument: issuer URL or --document FILE" })
    }
    // Reads the token before any request is sent, so that an invalid option is reported at once.
    const presented = Option.isNone(token) ? undefined : yield* TokenFlags.read(token, flags)
    const part = presented === undefined
      ? []
      : [TokenReport.run(presented.token, { ...presented.options, issuer: named, revision })]
    if (named === undefined) return yield* printReport(yield* part[0]!, printed)
    return yield* printChecked(
      { url: named, kind: "authorization-server", revision, timeout },
      printed,
      (onStep) =>
        Effect.map(
          Effect.all([Check.run(named, { revision, onStep }), Effect.all(part)]),
          ([report, parts]) => Report.withParts(report, parts)
        )
    )
  })
).pipe(
  Command.withDescription(
    "Checks whether an authorization server supports MCP. Sends the requests that clients send, reports the result of each " +
      "rule, and says what to change. Exits 0 if every MUST that applies passes, 1 if one fails, 2 if the check is inconclusive, " +
      "64 if the command line is invalid."
  ),
  Command.withShortDescription("Check whether an authorization server supports MCP"),
  Command.withExamples([
    { command: "effect-mcp-auth check https://auth.example.com", description: "Check an authorization server" },
    {
      command: "effect-mcp-auth check --document openid-configuration.json --spec 2025-06-18",
      description: "Check a saved document, without a network"
    },
    {
      command:
        "effect-mcp-auth check https://auth.example.com --token - --resource https://todos.example.com/mcp < token",
      description: "Check an access token as well, and print the options that accept it"
    },
    {
      command:
        "effect-mcp-auth check --token - --resource https://todos.example.com/mcp --at 2026-11-23T12:00:00Z < token",
      description: "Check a token at a given time, without a network and without its signature"
    }
  ])
)

const readFile = (name: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(name)).pipe(
    Effect.mapError(() =>
      new Check.InvalidInput({ detail: `${name} cannot be read. Check its path and its permissions` })
    )
  )

const readJson = (name: string) =>
  Effect.flatMap(readFile(name), (text) =>
    Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: () => new Check.InvalidInput({ detail: `${name} is not JSON. Save the key set as JSON` })
    }))

const doctor = Command.make(
  "doctor",
  {
    url: Argument.String("url").pipe(
      Argument.withDescription("The URL of the MCP server, such as https://todos.example.com/mcp")
    ),
    spec,
    format,
    verbose,
    timeout,
    token,
    foreignToken: Flag.Redacted("foreign-token").pipe(
      Flag.withDescription(
        "A valid token for another server, from the same authorization server. The server must reject it"
      ),
      Flag.withMetavar("token"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ foreignToken, spec: revision, timeout, token, url, ...printed }) {
    const [read, foreign] = yield* Secret.readBoth(token, foreignToken)
    return yield* printChecked(
      { url, kind: "mcp-server", revision, timeout },
      printed,
      (onStep) => Doctor.run(url, { revision, token: read, foreignToken: foreign, onStep })
    )
  })
).pipe(
  Command.withDescription(
    "Finds problems in an MCP server. Sends the requests that clients send, and checks the authorization servers that it " +
      "names. With --token, checks scopes, sessions and batches as well. Whether the server rejects tokens for other servers is " +
      "inconclusive (exit code 2) without such a token. No tool runs. The exit codes are those of check."
  ),
  Command.withShortDescription("Find problems in an MCP server"),
  Command.withExamples([
    { command: "effect-mcp-auth doctor https://todos.example.com/mcp", description: "Check a running server" },
    {
      command: "effect-mcp-auth doctor https://todos.example.com/mcp --token - < token",
      description: "Check what a token grants as well"
    },
    {
      command: "effect-mcp-auth doctor https://todos.example.com/mcp --foreign-token - < token-for-another-server",
      description: "Check that a token for another server is rejected as well"
    }
  ])
)

const decode = Command.make(
  "decode",
  {
    token: Argument.Redacted("token").pipe(
      Argument.withDescription("The token. Without it, or for -, standard input is read"),
      Argument.optional
    ),
    at: TokenFlags.at
  },
  Effect.fnUntraced(function*({ at, token }) {
    const read = yield* Secret.read(token)
    const width = yield* getWidth
    yield* Console.log(yield* TokenReport.describe(read, { at: Option.getOrUndefined(at), width }))
  })
).pipe(
  Command.withDescription(
    "Shows the header and the claims of a token, with times as text, and whether a server to which it is addressed accepts it. " +
      "Does not verify its signature."
  ),
  Command.withExamples([{ command: "effect-mcp-auth decode < token", description: "Read a token from a file" }])
)

const page = Command.make(
  "page",
  {
    host: Flag.String("host").pipe(
      Flag.withDescription("The address to listen on. By default only this machine can open the page"),
      Flag.withMetavar("address"),
      Flag.withDefault("127.0.0.1")
    ),
    port: Flag.Int("port").pipe(
      Flag.withDescription("The port to listen on. 0 selects a free port. Default: 8414"),
      Flag.filter((port) => port >= 0 && port <= 65535, () => "a number from 0 to 65535"),
      Flag.withDefault(8414)
    ),
    local: Flag.Boolean("local").pipe(
      Flag.withDescription("Allow servers on this machine and in its network, and http"),
      Flag.withDefault(false)
    ),
    timeout
  },
  Effect.fnUntraced(function*({ timeout, ...options }) {
    const url = yield* Page.serve({ ...options, timeout: Duration.seconds(timeout) })
    yield* Console.log(`The check page is at ${url}`)
    return yield* Effect.never
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Serves a web page that checks an issuer or an MCP server, like check and doctor. It accepts no token, and checks " +
      "public https hosts only, unless --local is set. For JSON, request /report?target=URL."
  ),
  Command.withShortDescription("Check in a browser"),
  Command.withExamples([
    { command: "effect-mcp-auth page", description: "Serve the page on this machine, for public servers" },
    { command: "effect-mcp-auth page --local", description: "Allow servers on this machine as well" }
  ])
)

const subcommands = [check, doctor, decode, call, page, proxy] as const

/** Runs the command that is selected in the prompts. */
const runSelected = Command.runWith(
  Command.make("effect-mcp-auth").pipe(Command.withSubcommands(subcommands)),
  { version: "" }
)

/** Asks what to check, and runs the selected command. */
const prompt = Effect.gen(function*() {
  const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
  if (!canPrompt) {
    return yield* new Check.InvalidInput({
      detail:
        "missing argument: a URL, or one of the commands check, doctor, decode, call, page and proxy. Run effect-mcp-auth --help"
    })
  }
  const chosen = yield* Prompt.run(Prompt.Select({
    message: "Select what to check",
    choices: [
      { title: "An authorization server: does it support MCP?", value: "check" as const },
      { title: "An MCP server: does it have problems?", value: "doctor" as const },
      { title: "A token: what does it contain?", value: "decode" as const },
      { title: "Use a web page instead", value: "page" as const }
    ]
  }))
  if (chosen === "decode" || chosen === "page") return yield* runSelected([chosen])
  const questions = {
    check: "Its issuer, such as https://auth.example.com",
    doctor: "Its URL, such as https://todos.example.com/mcp"
  }
  const url = yield* Prompt.run(Prompt.String({ message: questions[chosen] }))
  yield* Console.log(`\n$ effect-mcp-auth ${chosen} ${url}\n`)
  return yield* runSelected([chosen, url.trim()])
})

const bare = Command.make(
  "effect-mcp-auth",
  {
    url: Argument.String("url").pipe(
      Argument.withDescription("The URL of an authorization server or of an MCP server"),
      Argument.optional
    ),
    spec,
    format,
    verbose,
    timeout
  },
  Effect.fnUntraced(function*({ spec: revision, timeout, url, ...printed }) {
    if (Option.isNone(url)) return yield* prompt
    if (!/^https?:/i.test(url.value)) {
      const closest = OptionValue.closest(url.value.toLowerCase(), subcommands.map(({ name }) => name))
      return yield* new Check.InvalidInput({
        detail: `${shown(url.value)} is neither a command nor a URL. ` +
          (closest === undefined ? "" : `The closest command is ${closest}. `) +
          "The commands are check, doctor, decode, call, page and proxy. A URL begins with https://"
      })
    }
    return yield* printChecked(
      { url: url.value, kind: "server", revision, timeout },
      printed,
      (onStep) => CheckServer.run(url.value, { revision, onStep })
    )
  })
).pipe(
  Command.withDescription(
    "Checks authorization servers, MCP servers and access tokens. With a URL, detects the kind of the server, and runs check or " +
      "doctor. Without arguments, prompts for a command."
  ),
  Command.withExamples([
    { command: "effect-mcp-auth https://auth.example.com", description: "Detect what a URL is, and check it" }
  ])
)

/**
 * The root command.
 *
 * @category commands
 * @since 0.1.0
 */
export const root = bare.pipe(Command.withSubcommands(subcommands))
