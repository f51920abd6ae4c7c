/**
 * Defines the command `call`, which signs in at an MCP server, and lists or calls its tools.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import * as AuthorizedHttpClient from "../../client/http-client/AuthorizedHttpClient.ts"
import * as Challenge from "../../protocol/Challenge.ts"
import { InvalidInput } from "../../provider/check/Check.ts"
import { isObject, parseJson, shown } from "../../provider/report/Json.ts"
import { ExitCode } from "../ExitCode.ts"
import * as McpSession from "./McpSession.ts"
import * as SignInFlags from "./SignInFlags.ts"
import * as ToolOutput from "./ToolOutput.ts"

/**
 * The command `call`.
 *
 * @category commands
 * @since 0.1.0
 */
export const call = Command.make(
  "call",
  {
    url: Argument.String("url").pipe(
      Argument.withDescription("The URL of the MCP server, such as https://todos.example.com/mcp")
    ),
    tool: Argument.String("tool").pipe(
      Argument.withDescription("The tool to call. Without it, lists the tools"),
      Argument.optional
    ),
    json: Argument.String("arguments").pipe(
      Argument.withDescription("The arguments of the tool, as a JSON object"),
      Argument.optional
    ),
    ...SignInFlags.flags,
    format: Flag.Literals("format", ["text", "json"]).pipe(
      Flag.withAlias("f"),
      Flag.withDescription("The format of the output. Default: text"),
      Flag.withDefault("text" as const)
    ),
    timeout: Flag.Finite("timeout").pipe(
      Flag.withDescription(
        "The time limit of each response, in seconds. Time for the sign-in does not count. Default: 60"
      ),
      Flag.withMetavar("seconds"),
      Flag.filter(
        (seconds) => seconds > 0 && seconds <= 3600,
        () => "a number of seconds greater than 0 and at most 3600"
      ),
      Flag.withDefault(60)
    )
  },
  Effect.fnUntraced(function*({ format, json, timeout, tool, url, ...signIn }) {
    const arguments_ = yield* readArguments(json)
    if (URL.canParse(url) && new URL(url).username + new URL(url).password !== "") {
      return yield* new InvalidInput({ detail: "The URL contains a user name or a password. Leave them out" })
    }
    const grant = yield* SignInFlags.makeGrant(signIn)
    const limit = Duration.seconds(timeout)
    const Client = AuthorizedHttpClient.layer({ resource: url, grant }).pipe(
      Layer.provide(Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, observed(limit))))
    )
    const print = McpSession.use(url, limit, (session) =>
      Option.isNone(tool)
        ? Effect.flatMap(session.listTools, (tools) => Console.log(ToolOutput.writeTools(format, tools)))
        : Effect.gen(function*() {
          const result = yield* session.callTool(tool.value, arguments_)
          yield* Console.log(ToolOutput.writeResult(format, result))
          if (result["isError"] === true) yield* Ref.set(yield* ExitCode, 1)
        }))
    return yield* print.pipe(
      Effect.provide(Client),
      Effect.catchTag("AuthConfigError", (error) => Effect.fail(SignInFlags.toInvalidInput(error)))
    )
  })
).pipe(
  Command.withDescription(
    "Signs in at an MCP server, and lists its tools or calls one. The first call opens a browser; later calls use the token of the " +
      "file and refresh it. If a tool needs more scopes, signs in again for them. Exits 0 if the tool returns a result, 1 if the " +
      "tool fails or the server rejects the call, 2 if a server is unavailable, 64 if the command line is invalid."
  ),
  Command.withShortDescription("Sign in, and call a tool"),
  Command.withExamples([
    { command: "effect-mcp-auth call https://todos.example.com/mcp", description: "Sign in, and list the tools" },
    {
      command: `effect-mcp-auth call https://todos.example.com/mcp create_todo '{"title":"Water plants"}'`,
      description: "Call a tool with arguments"
    },
    {
      command: "effect-mcp-auth call https://todos.example.com/mcp --sign-in device --token-store tokens.json",
      description: "Sign in on another device, and keep the token in a file"
    }
  ])
)

const readArguments = (json: Option.Option<string>): Effect.Effect<Readonly<Record<string, unknown>>, InvalidInput> => {
  if (Option.isNone(json)) return Effect.succeed({})
  const parsed = parseJson(json.value)
  return isObject(parsed) ? Effect.succeed(parsed) : Effect.fail(
    new InvalidInput({
      detail: `The arguments ${shown(json.value)} are not a JSON object. Write one such as '{"title":"Water plants"}'`
    })
  )
}

/** Limits the time until the headers of each response, and shows when the server asks for more scopes. */
const observed = (limit: Duration.Duration) => (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (response, request) =>
    response.pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () =>
          Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError.TransportError({
                request,
                cause: Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })
              })
            })
          )
      }),
      Effect.tap(({ headers, status }) => {
        const scopes = status === 403 ? missingScopes(headers["www-authenticate"]) : []
        return scopes.length === 0
          ? Effect.void
          : Console.error(`The server asks for the scopes ${shown(scopes.join(" "), 400)} (step-up)`)
      })
    ))

const missingScopes = (header: string | undefined): ReadonlyArray<string> => {
  const parsed = header === undefined || header.length > 8_192 ? undefined : Challenge.parse(header)
  const challenge = parsed === undefined || Result.isFailure(parsed)
    ? undefined
    : parsed.success.find(({ parameters }) => parameters.get("error") === "insufficient_scope")
  return challenge === undefined ? [] : Challenge.scopes(challenge)
}
