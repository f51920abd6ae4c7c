/**
 * A server for the MCP conformance suite, built with Effect's MCP server. It has the tools, prompts and resources that the
 * suite requires. The registrations here contain no authorization, so they can be served with `McpServer.layerHttp` and, behind
 * the gate, with `McpAuth.layerHttp`.
 */
import { Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { McpProtocol, McpSchema, McpServer, Tool, Toolkit } from "effect/ai"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
  "base64"
)
const wav = Buffer.from("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=", "base64")

const text = (value: string): McpSchema.ContentBlock => ({ type: "text", text: value })
const image: McpSchema.ContentBlock = { type: "image", data: png, mimeType: "image/png" }

// ---------------------------------------------------------------------------------------------------------------------
// Tools whose results a toolkit can express
// ---------------------------------------------------------------------------------------------------------------------

/** The declared error of the tool that fails. A declared error reaches the client with its message. */
export class IntentionalFailure extends Schema.TaggedError<IntentionalFailure>()("IntentionalFailure", {
  message: Schema.String
}) {}

const answer = <const Name extends string>(name: Name, description: string) =>
  Tool.make(name, { description, success: Schema.String })

const Greet = Tool.make("greet", {
  description: "Says hello",
  parameters: Schema.Struct({ name: Schema.String }),
  success: Schema.String
})
const SimpleText = answer("test_simple_text", "Answers with plain text")
const WithLogging = answer("test_tool_with_logging", "Sends three log messages while it runs")
const WithProgress = Tool.make("test_tool_with_progress", {
  description: "Reports its progress three times",
  success: Schema.String,
  dependencies: [McpSchema.McpRequestContext]
})
const LoggingOnRequest = answer("test_logging_tool", "Logs once; heard only by a request that asks for a log level")
const Streaming = answer("test_streaming_elicitation", "Answers without a request of the server on the stream")
const ToolsChanged = answer("test_trigger_tool_change", "Announces that the list of tools has changed")
const PromptsChanged = answer("test_trigger_prompt_change", "Announces that the list of prompts has changed")
const Failing = Tool.make("test_error_handling", {
  description: "Fails each time",
  success: Schema.String,
  failure: IntentionalFailure
})

// The schemas of the two dynamic tools are raw JSON Schema, so that clients receive them exactly as written here.
const MirroredHeader = Tool.dynamic("test_x_mcp_header", {
  description: "Takes an argument that its client must repeat in a header",
  parameters: {
    type: "object",
    properties: {
      region: { type: "string", description: "Repeated in Mcp-Param-Region", "x-mcp-header": "Region" },
      level: { type: "integer", description: "Not repeated" }
    }
  },
  success: Schema.String
})
const JsonSchema2020 = Tool.dynamic("json_schema_2020_12_tool", {
  description: "Takes arguments that only JSON Schema 2020-12 can describe",
  parameters: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        $anchor: "addressDef",
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } }
      }
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" }
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false
  },
  success: Schema.String
})

/** The tools that return text. They are separate values, so that the gated server can add scopes to each of them. */
export const tools = {
  Greet,
  SimpleText,
  WithLogging,
  WithProgress,
  LoggingOnRequest,
  Streaming,
  ToolsChanged,
  PromptsChanged,
  Failing,
  MirroredHeader,
  JsonSchema2020
}

/** The same tools, without scopes. */
export const Tools = Toolkit.make(...Object.values(tools))

const pause = Effect.sleep(Duration.millis(50))

/** The session of the client, or none in revision 2026-07-28, which has no sessions. */
const session = Effect.serviceOption(McpSchema.McpServerClient)

/**
 * The progress token of the request, from its `_meta`. In revisions with sessions, Effect keeps `_meta` in the session. In
 * other revisions, Effect keeps `_meta` in the context of the request.
 */
const progressToken = Effect.gen(function*() {
  const client = yield* session
  const context = yield* McpSchema.McpRequestContext
  const metadata = Option.isSome(client) ? client.value.requestMetadata : context.requestMetadata
  return Schema.decodeUnknownOption(McpSchema.ProgressToken)(
    (metadata as Readonly<Record<string, unknown>> | undefined)?.["progressToken"]
  )
})

/** The handlers of {@link Tools}. */
export const ToolsLive = Tools.toLayer(Effect.gen(function*() {
  const { notifications } = yield* McpServer.McpServer
  const log = (data: string) => notifications["notifications/message"]({ level: "info", data })
  return Tools.of({
    greet: ({ name }) => Effect.succeed(`Hello, ${name}!`),
    test_simple_text: () => Effect.succeed("This is a simple text response for testing."),
    test_tool_with_logging: Effect.fnUntraced(function*() {
      yield* log("Tool execution started")
      yield* pause
      yield* log("Tool processing data")
      yield* pause
      yield* log("Tool execution completed")
      return "logged three times"
    }),
    test_tool_with_progress: Effect.fnUntraced(function*() {
      const token = yield* progressToken
      if (Option.isNone(token)) return "no progress was requested"
      for (const progress of [0, 50, 100]) {
        yield* notifications["notifications/progress"]({ progressToken: token.value, progress, total: 100 })
        yield* pause
      }
      return "reported three times"
    }),
    test_logging_tool: () => Effect.as(log("test_logging_tool ran"), "logged once"),
    test_streaming_elicitation: () => Effect.succeed("nothing but this result"),
    test_trigger_tool_change: () => Effect.as(notifications["notifications/tools/list_changed"]({}), "announced"),
    test_trigger_prompt_change: () => Effect.as(notifications["notifications/prompts/list_changed"]({}), "announced"),
    test_error_handling: () => new IntentionalFailure({ message: "This tool fails on purpose" }),
    test_x_mcp_header: (parameters) => Effect.succeed(JSON.stringify(parameters)),
    json_schema_2020_12_tool: (parameters) => Effect.succeed(JSON.stringify(parameters))
  })
}))

// ---------------------------------------------------------------------------------------------------------------------
// Tools that need more than a toolkit offers: content other than text, questions to the client, several rounds
// ---------------------------------------------------------------------------------------------------------------------

type Handled = McpSchema.CallToolResult | McpSchema.InputRequired

const tool = (options: {
  readonly name: string
  readonly description: string
  readonly properties?: Readonly<Record<string, unknown>>
  readonly handle: (
    parameters: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Handled, McpSchema.InternalError | McpSchema.InvalidParams, McpSchema.McpRequestContext>
}) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const server = yield* McpServer.McpServer
    const properties = options.properties ?? {}
    yield* server.addTool({
      tool: new McpSchema.Tool({
        name: options.name,
        description: options.description,
        inputSchema: { type: "object", properties, required: Object.keys(properties) }
      }),
      annotations: Context.empty(),
      handle: options.handle
    })
  }))

const complete = (...content: ReadonlyArray<McpSchema.ContentBlock>) =>
  Effect.succeed(new McpSchema.CallToolResult({ content: [...content] }))

const contentTools = Layer.mergeAll(
  tool({
    name: "test_image_content",
    description: "Answers with an image",
    handle: () => complete(image)
  }),
  tool({
    name: "test_audio_content",
    description: "Answers with a sound",
    handle: () => complete({ type: "audio", data: wav, mimeType: "audio/wav" })
  }),
  tool({
    name: "test_embedded_resource",
    description: "Answers with a resource",
    handle: () =>
      complete({
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "This is an embedded resource content."
        }
      })
  }),
  tool({
    name: "test_multiple_content_types",
    description: "Answers with text, an image and a resource",
    handle: () =>
      complete(text("Multiple content types test:"), image, {
        type: "resource",
        resource: {
          uri: "test://mixed-content-resource",
          mimeType: "application/json",
          text: JSON.stringify({ test: "data", value: 123 })
        }
      })
  })
)

/** Sends a request to the client while the call waits. Only revisions with sessions support this. */
const ask = <A, E>(question: (client: McpSchema.McpReverseClient) => Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const client = yield* session
    if (Option.isNone(client)) {
      return yield* new McpSchema.InternalError({ message: "This revision has no requests from server to client" })
    }
    const reply = yield* Effect.scoped(Effect.flatMap(client.value.getClient, question)).pipe(
      Effect.mapError(() => new McpSchema.InternalError({ message: "The client did not answer" }))
    )
    return yield* complete(text(`The client answered ${JSON.stringify(reply)}`))
  })

const form = Schema.decodeUnknownSync(McpSchema.ElicitRequestFormParams)
const string = { type: "string" }

const defaults = form({
  mode: "form",
  message: "Please review these values",
  requestedSchema: {
    type: "object",
    properties: {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true }
    }
  }
})
const enums = form({
  mode: "form",
  message: "Please choose",
  requestedSchema: {
    type: "object",
    properties: {
      untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
      titledSingle: {
        type: "string",
        oneOf: [
          { const: "value1", title: "First Option" },
          { const: "value2", title: "Second Option" },
          { const: "value3", title: "Third Option" }
        ]
      },
      legacyEnum: {
        type: "string",
        enum: ["opt1", "opt2", "opt3"],
        enumNames: ["Option One", "Option Two", "Option Three"]
      },
      untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
      titledMulti: {
        type: "array",
        items: {
          anyOf: [
            { const: "value1", title: "First Choice" },
            { const: "value2", title: "Second Choice" },
            { const: "value3", title: "Third Choice" }
          ]
        }
      }
    }
  }
})

const askingTools = Layer.mergeAll(
  tool({
    name: "test_sampling",
    description: "Asks the client's model",
    properties: { prompt: string },
    handle: ({ prompt }) =>
      ask((client) =>
        client.createMessage({
          messages: [{ role: "user", content: { type: "text", text: String(prompt) } }],
          maxTokens: 100
        })
      )
  }),
  tool({
    name: "test_elicitation",
    description: "Asks the user",
    properties: { message: string },
    handle: ({ message }) =>
      ask((client) =>
        client.elicit(form({
          mode: "form",
          message,
          requestedSchema: {
            type: "object",
            properties: { username: string, email: { type: "string", format: "email" } },
            required: ["username", "email"]
          }
        }))
      )
  }),
  tool({
    name: "test_elicitation_sep1034_defaults",
    description: "Asks the user, with a default for each kind of value",
    handle: () => ask((client) => client.elicit(defaults))
  }),
  tool({
    name: "test_elicitation_sep1330_enums",
    description: "Asks the user to choose, in each way a choice can be described",
    handle: () => ask((client) => client.elicit(enums))
  })
)

// ---------------------------------------------------------------------------------------------------------------------
// Several rounds (2026-07-28): the state between two rounds travels through the client, so it is signed
// ---------------------------------------------------------------------------------------------------------------------

const stateKey = randomBytes(32)
const RoundState = Schema.fromJsonString(Schema.Struct({ tool: Schema.String, round: Schema.Int }))
const encodeRound = Schema.encodeSync(RoundState)
const decodeRound = Schema.decodeUnknownOption(RoundState)
const signature = (payload: string) => createHmac("sha256", stateKey).update(payload).digest()

const sealRound = (tool: string, round: number): string => {
  const payload = Buffer.from(encodeRound({ tool, round })).toString("base64url")
  return `${payload}.${signature(payload).toString("base64url")}`
}

/** Returns the round in the state that the client sends, or 0 without state. Fails if this tool did not create the state. */
const openRound = Effect.fnUntraced(function*(tool: string) {
  const { requestState } = yield* McpSchema.McpRequestContext
  if (requestState === undefined) return 0
  const [payload = "", seal = ""] = requestState.split(".")
  const given = Buffer.from(seal, "base64url")
  const expected = signature(payload)
  // Node's decoder ignores characters that are not base64url, so the signature is encoded again and compared as text.
  const genuine = given.length === expected.length && timingSafeEqual(given, expected) &&
    given.toString("base64url") === seal
  const state = genuine ? decodeRound(Buffer.from(payload, "base64url").toString()) : Option.none()
  if (Option.isNone(state) || state.value.tool !== tool) {
    return yield* new McpSchema.InvalidParams({ message: "The request state was not made by this tool" })
  }
  return state.value.round
})

const elicitation = (message: string, properties: Readonly<Record<string, unknown>>): McpSchema.McpInputRequest => ({
  method: "elicitation/create",
  params: { message, requestedSchema: { type: "object", properties, required: Object.keys(properties) } }
})
const sampling = (question: string): McpSchema.McpInputRequest => ({
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text: question } }], maxTokens: 100 }
})
const roots: McpSchema.McpInputRequest = { method: "roots/list", params: {} }

const whatIsYourName = elicitation("What is your name?", { name: string })
const pleaseConfirm = elicitation("Please confirm", { ok: { type: "boolean" } })

const inputRequired = (inputRequests: Readonly<Record<string, McpSchema.McpInputRequest>>, requestState?: string) =>
  Effect.succeed(new McpSchema.InputRequired({ inputRequests, requestState }))

const inputs = Effect.map(McpSchema.McpRequestContext, (context) => context.inputResponses ?? {})

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Returns the value of a field that the user entered, or `undefined` if the user did not accept the form. */
const entered = (response: McpSchema.McpInputResponse | undefined, field: string): unknown =>
  response?.["action"] === "accept" && isObject(response["content"]) ? response["content"][field] : undefined

const roundTools = Layer.mergeAll(
  tool({
    name: "test_missing_capability",
    description: "Needs a client that offers sampling",
    handle: Effect.fnUntraced(function*() {
      const { answer } = yield* inputs
      return answer === undefined
        ? yield* inputRequired({ answer: sampling("Reply with one word") })
        : yield* complete(text("The client offers sampling"))
    })
  }),
  tool({
    name: "test_input_required_result_elicitation",
    description: "Needs the user's name",
    handle: Effect.fnUntraced(function*() {
      const name = entered((yield* inputs)["user_name"], "name")
      return typeof name === "string"
        ? yield* complete(text(`Hello, ${name}!`))
        : yield* inputRequired({ user_name: whatIsYourName })
    })
  }),
  tool({
    name: "test_input_required_result_sampling",
    description: "Needs an answer from the client's model",
    handle: Effect.fnUntraced(function*() {
      const { capital_question: reply } = yield* inputs
      return reply === undefined
        ? yield* inputRequired({ capital_question: sampling("What is the capital of France?") })
        : yield* complete(text(JSON.stringify(reply)))
    })
  }),
  tool({
    name: "test_input_required_result_list_roots",
    description: "Needs the client's roots",
    handle: Effect.fnUntraced(function*() {
      const { client_roots: reply } = yield* inputs
      return reply === undefined
        ? yield* inputRequired({ client_roots: roots })
        : yield* complete(text(JSON.stringify(reply)))
    })
  }),
  tool({
    name: "test_input_required_result_request_state",
    description: "Needs a confirmation and its own state back",
    handle: Effect.fnUntraced(function*() {
      const round = yield* openRound("request_state")
      return round === 1 && entered((yield* inputs)["confirm"], "ok") === true
        ? yield* complete(text("state-ok"))
        : yield* inputRequired({ confirm: pleaseConfirm }, sealRound("request_state", 1))
    })
  }),
  tool({
    name: "test_input_required_result_multiple_inputs",
    description: "Needs three things at once",
    handle: Effect.fnUntraced(function*() {
      const round = yield* openRound("multiple_inputs")
      const { client_roots, greeting, user_name } = yield* inputs
      return round === 1 && client_roots !== undefined && greeting !== undefined && user_name !== undefined
        ? yield* complete(text("All three were given"))
        : yield* inputRequired({
          user_name: whatIsYourName,
          greeting: sampling("Generate a greeting"),
          client_roots: roots
        }, sealRound("multiple_inputs", 1))
    })
  }),
  tool({
    name: "test_input_required_result_multi_round",
    description: "Needs two things, one after the other",
    handle: Effect.fnUntraced(function*() {
      const round = yield* openRound("multi_round")
      if (round === 0) {
        return yield* inputRequired(
          { step1: elicitation("Step 1: What is your name?", { name: string }) },
          sealRound("multi_round", 1)
        )
      }
      if (round === 1) {
        return yield* inputRequired(
          { step2: elicitation("Step 2: What is your favorite color?", { color: string }) },
          sealRound("multi_round", 2)
        )
      }
      return yield* complete(text("Both steps are done"))
    })
  }),
  tool({
    name: "test_input_required_result_tampered_state",
    description: "Rejects state that it did not make",
    handle: Effect.fnUntraced(function*() {
      const round = yield* openRound("tampered_state")
      return round === 1
        ? yield* complete(text("The state is genuine"))
        : yield* inputRequired({ confirm: pleaseConfirm }, sealRound("tampered_state", 1))
    })
  }),
  tool({
    name: "test_input_required_result_capabilities",
    description: "Asks only for what the client says it can give",
    handle: Effect.fnUntraced(function*() {
      const { clientCapabilities, inputResponses } = yield* McpSchema.McpRequestContext
      if (inputResponses !== undefined) return yield* complete(text("Everything was given"))
      return yield* inputRequired({
        ...(clientCapabilities.elicitation === undefined ? {} : { user_name: whatIsYourName }),
        ...(clientCapabilities.sampling === undefined ? {} : { greeting: sampling("Generate a greeting") }),
        ...(clientCapabilities.roots === undefined ? {} : { client_roots: roots })
      })
    })
  })
)

// ---------------------------------------------------------------------------------------------------------------------
// Prompts and resources
// ---------------------------------------------------------------------------------------------------------------------

const fromUser = (content: McpSchema.ContentBlock) => ({ role: "user" as const, content })

/** A prompt that requests input from the client. `McpServer.prompt` does not support this. */
const promptWithInput = Layer.effectDiscard(Effect.gen(function*() {
  const server = yield* McpServer.McpServer
  yield* server.addPrompt({
    prompt: new McpSchema.Prompt({ name: "test_input_required_result_prompt", description: "Needs context" }),
    annotations: Context.empty(),
    completions: {},
    handle: Effect.fnUntraced(function*() {
      const context = entered((yield* inputs)["user_context"], "context")
      return typeof context === "string"
        ? new McpSchema.GetPromptResult({ messages: [fromUser(text(`Use this context: ${context}`))] })
        : yield* inputRequired({
          user_context: elicitation("What context should the prompt use?", { context: string })
        })
    })
  })
}))

/** The prompts, registered with Effect's own functions. */
export const prompts = Layer.mergeAll(
  McpServer.prompt({
    name: "test_simple_prompt",
    description: "A prompt without arguments",
    content: () => Effect.succeed("This is a simple prompt for testing.")
  }),
  McpServer.prompt({
    name: "test_prompt_with_arguments",
    description: "A prompt with two arguments",
    parameters: {
      arg1: Schema.String.annotate({ description: "First test argument" }),
      arg2: Schema.String.annotate({ description: "Second test argument" })
    },
    completion: {
      arg1: (input) => Effect.succeed(["testValue1", "testing"].filter((value) => value.startsWith(input)))
    },
    content: ({ arg1, arg2 }) => Effect.succeed(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)
  }),
  McpServer.prompt({
    name: "test_prompt_with_embedded_resource",
    description: "A prompt that contains a resource",
    parameters: { resourceUri: Schema.String.annotate({ description: "URI of the resource to embed" }) },
    content: ({ resourceUri }) =>
      Effect.succeed([
        fromUser({
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." }
        }),
        fromUser(text("Please process the embedded resource above."))
      ])
  }),
  McpServer.prompt({
    name: "test_prompt_with_image",
    description: "A prompt that contains an image",
    content: () => Effect.succeed([fromUser(image), fromUser(text("Please analyze the image above."))])
  }),
  promptWithInput
)

const textResource = (name: string, description: string, value: string) =>
  McpServer.resource({
    uri: `test://${name}`,
    name,
    description,
    mimeType: "text/plain",
    content: Effect.succeed({ contents: [{ uri: `test://${name}`, mimeType: "text/plain", text: value }] })
  })

/** The resources, registered with Effect's own functions. */
export const resources = Layer.mergeAll(
  textResource("static-text", "A text that stays as it is", "This is the content of the static text resource."),
  textResource("watched-resource", "A text that one may subscribe to", "Watched resource content"),
  McpServer.resource({
    uri: "test://static-binary",
    name: "static-binary",
    description: "An image that stays as it is",
    mimeType: "image/png",
    content: Effect.succeed({ contents: [{ uri: "test://static-binary", mimeType: "image/png", blob: png }] })
  }),
  McpServer.resource`test://template/${McpSchema.param("id", Schema.String)}/data`({
    name: "template",
    description: "A resource for each id",
    mimeType: "application/json",
    content: (uri, id) =>
      Effect.succeed({
        contents: [{
          uri,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
        }]
      })
  })
)

// ---------------------------------------------------------------------------------------------------------------------
// Mounting
// ---------------------------------------------------------------------------------------------------------------------

/** The registrations that are the same without and with the gate. */
export const stock = Layer.mergeAll(contentTools, askingTools, roundTools, prompts, resources)

/** The registrations of a server without a gate. */
export const registrations = Layer.mergeAll(McpServer.toolkit(Tools).pipe(Layer.provide(ToolsLive)), stock)

/** The path of the MCP endpoint. */
export const path = "/mcp"

/**
 * The options of `layerHttp` except for the registrations. Clients can end sessions, because the suite ends those that it
 * opens.
 */
export const options = {
  name: "everything-server",
  version: "1.0.0",
  path,
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18, McpProtocol.v2025_03_26],
  allowSessionTermination: true
} as const

/**
 * The complete server without a gate. The suite sends requests whose `Origin` is the server's own origin and expects them to be
 * accepted. Effect accepts only the values of `allowedOrigins`, so the list contains the server's own origin.
 */
export const layer = (origin: string) => McpServer.layerHttp({ ...options, allowedOrigins: [origin], registrations })
