/**
 * Servers for the conformance suite, built with the official SDKs. They contain the operations that the SDKs support
 * directly. Tools with raw JSON Schema 2020-12 exist only on version 2.
 *
 * Each operation can be registered in two ways. Without the gate, it is registered with the SDK's own functions. With the gate,
 * it is registered with the functions of `McpAuthSdk` and requires a scope, so that a call goes through every check.
 */
import { getRequestListener } from "@hono/node-server"
import { completable as completableV1 } from "@modelcontextprotocol/sdk/server/completable.js"
import { McpServer as McpServerV1, ResourceTemplate as TemplateV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema
} from "@modelcontextprotocol/sdk/types.js"
import {
  completable as completableV2,
  createMcpHandler,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  McpServer as McpServerV2,
  ResourceTemplate as TemplateV2
} from "@modelcontextprotocol/server"
import { Layer, References } from "effect"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import express, { type Request, type RequestHandler, type Response } from "express"
import { randomBytes, randomUUID } from "node:crypto"
import type { RequestListener } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { z } from "zod"
import * as GatedServer from "./GatedServer.ts"

/** A listener, and the function that releases its resources. */
export interface Served {
  readonly listener: RequestListener
  readonly dispose: () => Promise<void>
}

/** The functions that create a server without the gate, and the same server with it. */
export interface Pair {
  readonly open: (origin: string) => Promise<Served>
  readonly gated: (origin: string, issuer: string) => Promise<Served>
}

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
const wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="

const text = (value: string) => ({ type: "text" as const, text: value })
const image = { type: "image" as const, data: png, mimeType: "image/png" }
const embedded = (uri: string, mimeType: string, value: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType, text: value }
})
const answer = (...content: ReadonlyArray<object>): any => ({ content })
const fromUser = (...content: ReadonlyArray<object>): any => ({
  messages: content.map((_) => ({ role: "user", content: _ }))
})

/** The messages that a handler can send before its result, with the same interface for both SDKs. */
interface Turn {
  readonly log: (data: string) => Promise<unknown>
  readonly progress: (progress: number) => Promise<unknown>
  readonly sample: (prompt: string) => Promise<unknown>
  readonly elicit: (message: string, requestedSchema: object) => Promise<unknown>
}

/**
 * Registers the operations of one server, with the same interface for both SDKs. All arguments are strings, because the suite
 * sends only strings.
 */
interface Registrar {
  readonly tool: (
    name: string,
    args: ReadonlyArray<string>,
    handle: (turn: Turn, args: Readonly<Record<string, string>>) => any
  ) => void
  readonly prompt: (
    name: string,
    args: ReadonlyArray<string>,
    handle: (args: Readonly<Record<string, string>>) => any
  ) => void
  readonly resource: (uri: string, mimeType: string, content: object) => void
}

const everything = ({ prompt, resource, tool }: Registrar): void => {
  tool("greet", ["name"], (_, { name }) => answer(text(`Hello, ${name}!`)))
  tool("test_simple_text", [], () => answer(text("This is a simple text response for testing.")))
  tool("test_image_content", [], () => answer(image))
  tool("test_audio_content", [], () => answer({ type: "audio", data: wav, mimeType: "audio/wav" }))
  tool(
    "test_embedded_resource",
    [],
    () => answer(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))
  )
  tool("test_multiple_content_types", [], () =>
    answer(
      text("Multiple content types test:"),
      image,
      embedded("test://mixed-content-resource", "application/json", JSON.stringify({ test: "data", value: 123 }))
    ))
  tool("test_tool_with_logging", [], async ({ log }) => {
    for (const line of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await log(line)
      await sleep(50)
    }
    return answer(text("logged three times"))
  })
  tool("test_logging_tool", [], async ({ log }) => {
    await log("test_logging_tool ran")
    return answer(text("logged once"))
  })
  tool("test_tool_with_progress", [], async ({ progress }) => {
    for (const done of [0, 50, 100]) {
      await progress(done)
      await sleep(50)
    }
    return answer(text("reported three times"))
  })
  tool("test_error_handling", [], () => {
    throw new Error("This tool fails on purpose")
  })
  tool("test_streaming_elicitation", [], () => answer(text("nothing but this result")))
  tool(
    "test_sampling",
    ["prompt"],
    async ({ sample }, { prompt }) => answer(text(JSON.stringify(await sample(prompt!))))
  )
  tool("test_elicitation", ["message"], async ({ elicit }, { message }) =>
    answer(text(JSON.stringify(
      await elicit(message!, {
        type: "object",
        properties: { username: { type: "string" }, email: { type: "string", format: "email" } },
        required: ["username", "email"]
      })
    ))))
  tool("test_elicitation_sep1034_defaults", [], async ({ elicit }) =>
    answer(text(JSON.stringify(
      await elicit("Please review these values", {
        type: "object",
        properties: {
          name: { type: "string", default: "John Doe" },
          age: { type: "integer", default: 30 },
          score: { type: "number", default: 95.5 },
          status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
          verified: { type: "boolean", default: true }
        }
      })
    ))))
  tool("test_elicitation_sep1330_enums", [], async ({ elicit }) =>
    answer(text(JSON.stringify(
      await elicit("Please choose", {
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
      })
    ))))

  prompt("test_simple_prompt", [], () => fromUser(text("This is a simple prompt for testing.")))
  prompt(
    "test_prompt_with_arguments",
    ["arg1", "arg2"],
    ({ arg1, arg2 }) => fromUser(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))
  )
  prompt("test_prompt_with_embedded_resource", ["resourceUri"], ({ resourceUri }) =>
    fromUser(
      embedded(resourceUri!, "text/plain", "Embedded resource content for testing."),
      text("Please process the embedded resource above.")
    ))
  prompt("test_prompt_with_image", [], () => fromUser(image, text("Please analyze the image above.")))

  resource("test://static-text", "text/plain", { text: "This is the content of the static text resource." })
  resource("test://watched-resource", "text/plain", { text: "Watched resource content" })
  resource("test://static-binary", "image/png", { blob: png })
}

const identity = { name: "everything-server", version: "1.0.0" }
const capabilities = { logging: {}, resources: { subscribe: true } }
const begins = (value: string) => ["testValue1", "testing"].filter((_) => _.startsWith(value))
const templateUri = "test://template/{id}/data"
const ofTemplate = (uri: URL, { id }: { readonly id?: unknown }) => ({
  contents: [{
    uri: uri.href,
    mimeType: "application/json",
    text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
  }]
})

const scopesFor = { scopes: [GatedServer.scope] } as const

const optionsOf = (origin: string, issuer: string) =>
  ({
    resource: GatedServer.resource(origin),
    authorizationServers: [issuer],
    scopes: [GatedServer.scope],
    layer: Layer.succeed(References.MinimumLogLevel, "Warn")
  }) as const

/* ---------------------------------------------------------------------------------------------------------------------
 * @modelcontextprotocol/sdk, with sessions
 * ------------------------------------------------------------------------------------------------------------------ */

type AuthV1 = SdkV1.McpAuthSdk<typeof GatedServer.scope, Readonly<Record<string, unknown>>, never, "deny">

const makeV1 = (auth: AuthV1 | undefined) => (): McpServerV1 => {
  const server = new McpServerV1(identity, { capabilities })
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}))
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}))
  const turn = (extra: any): Turn => ({
    log: (data) => extra.sendNotification({ method: "notifications/message", params: { level: "info", data } }),
    progress: async (progress) => {
      const progressToken = extra._meta?.progressToken
      if (progressToken === undefined) return
      await extra.sendNotification({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100 }
      })
    },
    sample: (prompt) =>
      extra.sendRequest({
        method: "sampling/createMessage",
        params: { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 }
      }, CreateMessageResultSchema),
    elicit: (message, requestedSchema) =>
      extra.sendRequest({ method: "elicitation/create", params: { message, requestedSchema } }, ElicitResultSchema)
  })
  const shape = (names: ReadonlyArray<string>) => Object.fromEntries(names.map((name) => [name, z.string()]))
  everything({
    tool: (name, names, handle) => {
      const config = { description: `The tool ${name}`, inputSchema: shape(names) }
      const handler = (args: any, extra: any) => handle(turn(extra), args)
      if (auth === undefined) server.registerTool(name, config, handler)
      else auth.registerTool(server, name, { ...config, ...scopesFor }, handler)
    },
    prompt: (name, names, handle) => {
      const argsSchema = Object.fromEntries(names.map((_) => [_, completableV1(z.string(), begins)]))
      const config = { description: `The prompt ${name}`, ...(names.length === 0 ? {} : { argsSchema }) }
      const handler = (args: any) => handle(args)
      if (auth === undefined) server.registerPrompt(name, config, handler)
      else auth.registerPrompt(server, name, { ...config, ...scopesFor }, handler)
    },
    resource: (uri, mimeType, content) => {
      const config = { description: `The resource ${uri}`, mimeType }
      const handler = (): any => ({ contents: [{ uri, mimeType, ...content }] })
      if (auth === undefined) server.registerResource(uri, uri, config, handler)
      else auth.registerResource(server, uri, uri, { ...config, ...scopesFor }, handler)
    }
  })
  const template = new TemplateV1(templateUri, { list: undefined })
  if (auth === undefined) server.registerResource("template", template, {}, ofTemplate)
  else auth.registerResource(server, "template", template, scopesFor, ofTemplate)
  return server
}

const serveV1 = (origin: string, make: () => McpServerV1, guard: ReadonlyArray<RequestHandler>): RequestListener => {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const app = express()
  app.use("/mcp", ...guard, ...(guard.length === 0 ? [express.json()] : []))
  app.all("/mcp", async (req: Request, res: Response) => {
    const known = sessions.get(String(req.headers["mcp-session-id"]))
    if (known !== undefined) return known.handleRequest(req, res, req.body)
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      // The gate allows only the server's own origin, so the server without the gate makes the same check.
      enableDnsRebindingProtection: true,
      allowedHosts: [new URL(origin).host],
      allowedOrigins: [origin]
    })
    await make().connect(transport as never)
    await transport.handleRequest(req, res, req.body)
  })
  return app
}

/** Version 1, with a session for each client. */
export const v1: Pair = {
  open: async (origin) => ({ listener: serveV1(origin, makeV1(undefined), []), dispose: async () => {} }),
  gated: async (origin, issuer) => {
    const auth = await SdkV1.make(optionsOf(origin, issuer))
    const make = makeV1(auth)
    return { listener: serveV1(origin, make, [auth.metadataRouter(), auth.protect(make())]), dispose: auth.dispose }
  }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * @modelcontextprotocol/server, both eras on one handler
 * ------------------------------------------------------------------------------------------------------------------ */

type AuthV2 = SdkV2.McpAuthSdk<typeof GatedServer.scope, Readonly<Record<string, unknown>>, never, "deny">

const elicitation = (message: string, property: string, type = "string") =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [property]: { type } as never }, required: [property] }
  })

const sampling = (prompt: string) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 })

/** Signs the state between two rounds, because the client keeps it. */
const codec = createRequestStateCodec<{ readonly tool: string; readonly round: number }>({ key: randomBytes(32) })

/** Operations with several rounds (2026-07-28). */
const rounds = (
  tool: (name: string, inputSchema: any, handler: (args: any, context: any) => any) => void,
  prompt: (name: string, handler: (context: any) => any) => void
): void => {
  const whatIsYourName = elicitation("What is your name?", "name")
  const pleaseConfirm = elicitation("Please confirm", "ok", "boolean")
  const round = (name: string, handle: (inputs: any, round: number, context: any) => any) =>
    tool(name, z.object({}), (_, context) => {
      const state = context.mcpReq.requestState()
      if (state !== undefined && state.tool !== name) throw new Error("The request state was not made by this tool")
      return handle(context.mcpReq.inputResponses ?? {}, state?.round ?? 0, context)
    })
  const ask = async (inputRequests: any, name?: string, next?: number) =>
    inputRequired({
      inputRequests,
      ...(name === undefined ? {} : { requestState: await codec.mint({ tool: name, round: next! }) })
    })

  round("test_missing_capability", ({ answer: given }) =>
    given === undefined
      ? ask({ answer: sampling("Reply with one word") })
      : answer(text("The client offers sampling")))
  round(
    "test_input_required_result_elicitation",
    ({ user_name }) =>
      user_name === undefined ? ask({ user_name: whatIsYourName }) : answer(text(`Hello, ${user_name.content?.name}!`))
  )
  round("test_input_required_result_sampling", ({ capital_question }) =>
    capital_question === undefined
      ? ask({ capital_question: sampling("What is the capital of France?") })
      : answer(text(JSON.stringify(capital_question))))
  round("test_input_required_result_list_roots", ({ client_roots }) =>
    client_roots === undefined
      ? ask({ client_roots: inputRequired.listRoots() })
      : answer(text(JSON.stringify(client_roots))))
  round("test_input_required_result_request_state", ({ confirm }, round) =>
    round === 1 && confirm?.content?.ok === true
      ? answer(text("state-ok"))
      : ask({ confirm: pleaseConfirm }, "test_input_required_result_request_state", 1))
  round(
    "test_input_required_result_multiple_inputs",
    (inputs, round) =>
      round === 1 && ["client_roots", "greeting", "user_name"].every((name) => inputs[name] !== undefined)
        ? answer(text("All three were given"))
        : ask(
          {
            user_name: whatIsYourName,
            greeting: sampling("Generate a greeting"),
            client_roots: inputRequired.listRoots()
          },
          "test_input_required_result_multiple_inputs",
          1
        )
  )
  round("test_input_required_result_multi_round", (_, round) =>
    round === 0
      ? ask({ step1: elicitation("Step 1: What is your name?", "name") }, "test_input_required_result_multi_round", 1)
      : round === 1
      ? ask(
        { step2: elicitation("Step 2: What is your favorite color?", "color") },
        "test_input_required_result_multi_round",
        2
      )
      : answer(text("Both steps are done")))
  round("test_input_required_result_tampered_state", (_, round) =>
    round === 1
      ? answer(text("The state is genuine"))
      : ask({ confirm: pleaseConfirm }, "test_input_required_result_tampered_state", 1))
  round("test_input_required_result_capabilities", (_inputs, _round, { mcpReq }) => {
    if (mcpReq.inputResponses !== undefined) return answer(text("Everything was given"))
    const offered = mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? {}
    return ask({
      ...(offered.elicitation === undefined ? {} : { user_name: whatIsYourName }),
      ...(offered.sampling === undefined ? {} : { greeting: sampling("Generate a greeting") }),
      ...(offered.roots === undefined ? {} : { client_roots: inputRequired.listRoots() })
    })
  })
  prompt("test_input_required_result_prompt", ({ mcpReq }) => {
    const context = mcpReq.inputResponses?.user_context?.content?.context
    return context === undefined
      ? ask({ user_context: elicitation("What context should the prompt use?", "context") })
      : fromUser(text(`Use this context: ${context}`))
  })
}

const makeV2 = (auth: AuthV2 | undefined) => (): McpServerV2 => {
  const server = new McpServerV2(identity, { capabilities, requestState: { verify: codec.verify } })
  const turn = ({ mcpReq }: any): Turn => ({
    log: (data) => mcpReq.log("info", data),
    progress: async (progress) => {
      const progressToken = mcpReq._meta?.progressToken
      if (progressToken === undefined) return
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } })
    },
    // Without sessions, the server cannot receive the response to a request that it sends to the client.
    sample: () => Promise.reject(new Error("This server has no sessions")),
    elicit: () => Promise.reject(new Error("This server has no sessions"))
  })
  const shape = (names: ReadonlyArray<string>) => z.object(Object.fromEntries(names.map((name) => [name, z.string()])))
  const tool = (name: string, inputSchema: any, handler: (args: any, context: any) => any) => {
    const config = { description: `The tool ${name}`, inputSchema }
    if (auth === undefined) server.registerTool(name, config, handler)
    else auth.registerTool(server, name, { ...config, ...scopesFor }, handler as never)
  }
  everything({
    tool: (name, names, handle) => tool(name, shape(names), (args, context) => handle(turn(context), args)),
    prompt: (name, names, handle) => {
      const argsSchema = z.object(Object.fromEntries(names.map((_) => [_, completableV2(z.string(), begins)])))
      const config = { description: `The prompt ${name}`, ...(names.length === 0 ? {} : { argsSchema }) }
      const handler = (args: any): any => handle(args)
      if (auth === undefined) server.registerPrompt(name, config as never, handler)
      else auth.registerPrompt(server, name, { ...config, ...scopesFor } as never, handler as never)
    },
    resource: (uri, mimeType, content) => {
      const config = { description: `The resource ${uri}`, mimeType }
      const handler = (): any => ({ contents: [{ uri, mimeType, ...content }] })
      if (auth === undefined) server.registerResource(uri, uri, config, handler)
      else auth.registerResource(server, uri, uri, { ...config, ...scopesFor }, handler)
    }
  })
  tool(
    "test_x_mcp_header",
    fromJsonSchema({
      type: "object",
      properties: { region: { type: "string", "x-mcp-header": "Region" } as never, level: { type: "integer" } }
    }),
    (args) => answer(text(JSON.stringify(args)))
  )
  rounds(
    tool,
    (name, handler) => {
      if (auth === undefined) server.registerPrompt(name, { description: "Needs context" }, handler)
      else auth.registerPrompt(server, name, { description: "Needs context", ...scopesFor }, handler)
    }
  )
  const template = new TemplateV2(templateUri, { list: undefined })
  if (auth === undefined) server.registerResource("template", template, {}, ofTemplate)
  else auth.registerResource(server, "template", template, scopesFor, ofTemplate)
  return server
}

const listenerOf = (fetch: (request: globalThis.Request) => Promise<globalThis.Response>) =>
  getRequestListener(fetch) as RequestListener

/** Version 2. The SDK serves clients of 2025-11-25 without sessions. */
export const v2: Pair = {
  open: async (origin) => {
    const handler = createMcpHandler(makeV2(undefined))
    return {
      listener: listenerOf(async (request) =>
        // The gate checks the `Origin` and the SDK does not, so the server without the gate makes the same check here.
        [null, origin].includes(request.headers.get("origin"))
          ? handler.fetch(request)
          : new Response(null, { status: 403 })
      ),
      dispose: handler.close
    }
  },
  gated: async (origin, issuer) => {
    const auth = await SdkV2.make(optionsOf(origin, issuer))
    const handler = auth.createMcpHandler(makeV2(auth))
    return {
      listener: listenerOf(async (request) => await auth.metadata(request) ?? await handler.fetch(request)),
      dispose: auth.dispose
    }
  }
}
