import type { Client } from "@modelcontextprotocol/client"
import { Schema } from "effect"

/* The requests that a client sends after it has connected. Each scenario of the suite expects some. */

/** Sends the requests of a scenario. `context` is the value that the suite supplies. */
type Flow = (client: Client, context: unknown) => Promise<void>

/** Lists the tools, and calls the first one. Most scenarios expect this. */
export const callFirst: Flow = async (client) => {
  const { tools } = await client.listTools()
  const name = tools[0]?.name
  if (name !== undefined) await client.callTool({ name, arguments: { a: 2, b: 3 } })
}

const listOnly: Flow = async (client) => void await client.listTools()

const ToolCalls = Schema.Struct({
  toolCalls: Schema.Array(
    Schema.Struct({ name: Schema.String, arguments: Schema.Record(Schema.String, Schema.Unknown) })
  )
})

/** Calls the tools that the suite names. */
const callNamed: Flow = async (client, context) => {
  await client.listTools()
  for (const call of Schema.decodeUnknownSync(ToolCalls)(context).toolCalls) await client.callTool({ ...call })
}

/** Calls tools that ask for input, and another tool in between. */
const answerInput: Flow = async (client) => {
  client.setRequestHandler("elicitation/create", async () => {
    await client.callTool({ name: "test_mrtr_unrelated", arguments: {} })
    return { action: "accept", content: { confirmed: true } }
  })
  await client.listTools()
  for (const name of ["test_mrtr_echo_state", "test_mrtr_no_state"]) await client.callTool({ name, arguments: {} })
  // The scenario checks that the client does not repeat this call. The SDK reports a result without a type as an error.
  await client.callTool({ name: "test_mrtr_no_result_type", arguments: {} }).catch(() => undefined)
}

/** Sends the schema of a tool back, so that the suite sees whether the client changed it. */
const echoSchema: Flow = async (client) => {
  const { tools } = await client.listTools()
  const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool")?.inputSchema
  await client.callTool({ name: "json_schema_echo", arguments: { schema } })
}

/** The flows of scenarios that do not expect `callFirst`. */
export const flows: Readonly<Record<string, Flow>> = {
  "http-custom-headers": callNamed,
  "json-schema-2020-12-preservation": echoSchema,
  "json-schema-ref-no-deref": listOnly,
  "request-metadata": listOnly,
  "sep-2322-client-request-state": answerInput
}
