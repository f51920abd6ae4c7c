import { homedir } from "node:os"
import { join } from "node:path"
import * as SignIn from "./SignIn.ts"
import * as Todo from "./Todo.ts"

const {
  BROWSER: browser,
  CALLBACK_PORT,
  MCP_URL: resource = "http://127.0.0.1:3000/mcp",
  TODO_FILE: file = join(homedir(), ".todo", "tokens.json")
} = process.env

const port = CALLBACK_PORT === undefined ? undefined : Number(CALLBACK_PORT)
const auth = await SignIn.make({ resource, file, browser, port })
try {
  for (const line of await Todo.run(resource, auth, process.argv.slice(2))) console.log(line)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await auth.dispose()
}
