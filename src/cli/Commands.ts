/**
 * The commands, their options and their help.
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
import type * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Terminal from "effect/Terminal"
import * as Check from "../provider/check/Check.ts"
import * as Doctor from "../provider/doctor/Doctor.ts"
import * as Report from "../provider/report/Report.ts"
import { revisions } from "../provider/report/Rule.ts"
import * as AccessToken from "../provider/token/TokenReport.ts"
import { ExitCode } from "./ExitCode.ts"
import * as ReportFormat from "./format/ReportFormat.ts"
import * as Page from "./page/Page.ts"
import * as Progress from "./Progress.ts"
import * as Secret from "./Secret.ts"

const spec = Flag.Literals("spec", revisions).pipe(
  Flag.withDescription("The revision of MCP to judge against"),
  Flag.withDefault(revisions[0])
)

const format = Flag.Literals("format", ReportFormat.all).pipe(
  Flag.withAlias("f"),
  Flag.withDescription("How the report is written"),
  Flag.withDefault("table")
)

const verbose = Flag.Boolean("verbose").pipe(
  Flag.withDescription("Explain also what is kept"),
  Flag.withDefault(false)
)

const timeout = Flag.Finite("timeout").pipe(
  Flag.withDescription("How long all of it may take, in seconds"),
  Flag.withMetavar("seconds"),
  Flag.filter((seconds) => seconds > 0 && seconds <= 600, () => "--timeout takes seconds, more than 0 and at most 600"),
  Flag.withDefault(30)
)

const token = Flag.Redacted("token").pipe(
  Flag.withDescription("An access token to judge; - reads it from standard input, where no process list shows it"),
  Flag.withMetavar("token"),
  Flag.optional
)

const resource = Flag.String("resource").pipe(
  Flag.withDescription("The URL of the MCP server that the token is for"),
  Flag.withMetavar("url"),
  Flag.optional
)

interface Printed {
  readonly format: ReportFormat.ReportFormat
  readonly verbose: boolean
}

/** Prints the report, and lets it decide the exit code. */
const conclude = Effect.fnUntraced(function*(report: Report.Report, { format, verbose }: Printed) {
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const terminal = yield* Terminal.Terminal
  const columns = yield* terminal.columns
  const texts: Readonly<Record<ReportFormat.ReportFormat, () => string>> = {
    table: () => ReportFormat.toTable(report, { color: canColor, width: columns > 0 ? columns : 100, verbose }),
    json: () => ReportFormat.toJson(report),
    markdown: () => ReportFormat.toMarkdown(report),
    junit: () => ReportFormat.toJunit(report)
  }
  yield* Console.log(texts[format]())
  const code = yield* ExitCode
  yield* Ref.set(code, Report.exitCode(report))
})

const within = <A, E, R>(self: Effect.Effect<A, E, R>, seconds: number, url: string) =>
  self.pipe(
    Effect.timeoutOrElse({
      duration: Duration.seconds(seconds),
      orElse: () => Effect.fail(new Check.Unreachable({ url, detail: `was not done within ${seconds} seconds` }))
    })
  )

const judgeToken = Effect.fnUntraced(function*(
  given: Option.Option<Redacted.Redacted>,
  options: Omit<AccessToken.Options, "now" | "resource"> & { readonly resource: Option.Option<string> }
) {
  if (Option.isNone(options.resource) || !URL.canParse(options.resource.value)) {
    return yield* new Check.NotUsable({
      detail: "--token wants --resource: the URL of the MCP server, as clients write it"
    })
  }
  const read = yield* Secret.read(given)
  const now = yield* Clock.currentTimeMillis
  return AccessToken.judge(read, { ...options, resource: options.resource.value, now })
})

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
      Flag.withDescription("A saved metadata document, to be judged without the network; may be given several times"),
      Flag.withMetavar("file"),
      Flag.atLeast(0)
    ),
    keys: Flag.String("keys").pipe(
      Flag.withDescription("A saved key set that belongs to --document"),
      Flag.withMetavar("file"),
      Flag.optional
    ),
    token,
    resource
  },
  Effect.fnUntraced(function*({ document, issuer, keys, resource, spec: revision, timeout, token, ...printed }) {
    const named = Option.getOrUndefined(issuer)
    if (document.length > 0) {
      const texts = yield* Effect.forEach(document, (name) => Effect.map(readFile(name), (text) => ({ name, text })))
      const jwks = Option.isNone(keys) ? undefined : yield* readJson(keys.value)
      const now = yield* Clock.currentTimeMillis
      const report = Check.judgeDocuments(texts, { issuer: named, jwks, now, revision })
      return report instanceof Check.NotUsable ? yield* report : yield* conclude(report, printed)
    }
    if (named === undefined) {
      if (Option.isSome(token)) return yield* conclude(yield* judgeToken(token, { resource, revision }), printed)
      return yield* new Check.NotUsable({ detail: "check what? Name an issuer, or a file with --document" })
    }
    // Before the network is asked: what is wrong with the token or the resource shows at once.
    const part = Option.isNone(token) ? [] : [yield* judgeToken(token, { resource, issuer: named, revision })]
    const report = yield* within(Progress.during((onStep) => Check.run(named, { revision, onStep })), timeout, named)
    return yield* conclude(Report.withParts(report, part), printed)
  })
).pipe(
  Command.withDescription(
    "Does this authorization server fit MCP? Asks it as clients do, judges each rule, and says what to change. " +
      "Ends with 0 when it fits, 1 when not, 2 when that could not be told, 64 when the command line is wrong."
  ),
  Command.withShortDescription("Does this authorization server fit MCP?"),
  Command.withExamples([
    { command: "effect-mcp-auth check https://auth.example.com", description: "Judge an authorization server" },
    {
      command: "effect-mcp-auth check --document openid-configuration.json --spec 2025-06-18",
      description: "Judge a saved document, without the network"
    },
    {
      command:
        "effect-mcp-auth check https://auth.example.com --token - --resource https://todos.example.com/mcp < token",
      description: "Judge an access token as well, and print the options that accept it"
    }
  ])
)

const readFile = (name: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(name)).pipe(
    Effect.mapError(() => new Check.NotUsable({ detail: `${name} cannot be read` }))
  )

const readJson = (name: string) =>
  Effect.flatMap(readFile(name), (text) =>
    Effect.try({
      try: (): unknown => JSON.parse(text),
      catch: () => new Check.NotUsable({ detail: `${name} is not JSON` })
    }))

const doctor = Command.make(
  "doctor",
  {
    url: Argument.String("url").pipe(Argument.withDescription("The MCP server, such as https://todos.example.com/mcp")),
    spec,
    format,
    verbose,
    timeout,
    token
  },
  Effect.fnUntraced(function*({ spec: revision, timeout, token, url, ...printed }) {
    const read = Option.isNone(token) ? undefined : yield* Secret.read(token)
    const report = yield* within(
      Progress.during((onStep) => Doctor.run(url, { revision, token: read, onStep })),
      timeout,
      url
    )
    return yield* conclude(report, printed)
  })
).pipe(
  Command.withDescription(
    "What is wrong with this MCP server? Looks at it from outside as clients do, and at the authorization servers that " +
      "it names. With --token also at scopes, sessions and batches; no tool is run."
  ),
  Command.withShortDescription("What is wrong with this MCP server?"),
  Command.withExamples([
    { command: "effect-mcp-auth doctor https://todos.example.com/mcp", description: "Look at a running server" },
    {
      command: "effect-mcp-auth doctor https://todos.example.com/mcp --token - < token",
      description: "Look also at what a token opens"
    }
  ])
)

const decode = Command.make(
  "decode",
  {
    token: Argument.Redacted("token").pipe(
      Argument.withDescription("The token; without it, or for -, standard input is read"),
      Argument.optional
    )
  },
  Effect.fnUntraced(function*({ token }) {
    const read = yield* Secret.read(token)
    const now = yield* Clock.currentTimeMillis
    yield* Console.log(AccessToken.describe(read, now))
  })
).pipe(
  Command.withDescription("Shows the header and the claims of a token, moments in words. Verifies nothing."),
  Command.withExamples([{ command: "effect-mcp-auth decode < token", description: "Read a token from a file" }])
)

const page = Command.make(
  "page",
  {
    host: Flag.String("host").pipe(
      Flag.withDescription("The address to listen on; others than this machine reach the page only if you name one"),
      Flag.withMetavar("address"),
      Flag.withDefault("127.0.0.1")
    ),
    port: Flag.Int("port").pipe(
      Flag.withDescription("The port to listen on; 0 finds one that is free"),
      Flag.filter((port) => port >= 0 && port <= 65535, () => "--port takes a number from 0 to 65535"),
      Flag.withDefault(8414)
    ),
    local: Flag.Boolean("local").pipe(
      Flag.withDescription("Look also at servers on this machine and in its network, and by http"),
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
    "Serves a page on which one enters an issuer or an MCP server, and reads what check or doctor says. It takes no token, " +
      "and looks at public https hosts only, unless started with --local. The same as JSON: /report?target=URL."
  ),
  Command.withShortDescription("The same in a browser"),
  Command.withExamples([
    { command: "effect-mcp-auth page", description: "Serve the page on this machine, for servers on the Internet" },
    { command: "effect-mcp-auth page --local", description: "Look also at servers on this machine" }
  ])
)

const subcommands = [check, doctor, decode, page] as const

/** What the questions led to. */
const again = Command.runWith(
  Command.make("effect-mcp-auth").pipe(Command.withSubcommands(subcommands)),
  { version: "" }
)

const bare = Command.make("effect-mcp-auth", {}, () =>
  Effect.gen(function*() {
    const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
    if (!canPrompt) {
      return yield* new Check.NotUsable({ detail: "what shall be looked at? Try effect-mcp-auth --help" })
    }
    const chosen = yield* Prompt.run(Prompt.Select({
      message: "What shall be looked at?",
      choices: [
        { title: "An authorization server: does it fit MCP?", value: "check" as const },
        { title: "An MCP server: what is wrong with it?", value: "doctor" as const },
        { title: "A token: what does it say?", value: "decode" as const },
        { title: "I would rather have that as a page in my browser", value: "page" as const }
      ]
    }))
    if (chosen === "decode" || chosen === "page") return yield* again([chosen])
    const questions = {
      check: "Its issuer, such as https://auth.example.com",
      doctor: "Its URL, such as https://todos.example.com/mcp"
    }
    const url = yield* Prompt.run(Prompt.String({ message: questions[chosen] }))
    yield* Console.log(`\n$ effect-mcp-auth ${chosen} ${url}\n`)
    return yield* again([chosen, url.trim()])
  })).pipe(
    Command.withDescription(
      "Which identity provider fits MCP, and what is wrong with my server? Called without a command it asks."
    )
  )

/**
 * All of it.
 *
 * @category commands
 * @since 0.1.0
 */
export const root = bare.pipe(Command.withSubcommands(subcommands))
