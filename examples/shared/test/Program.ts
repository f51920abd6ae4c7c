import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Program {
  /** The first line on standard output. Rejects if the program ends without a line. */
  readonly firstLine: Promise<string>
  readonly ended: Promise<Ended>
  readonly interrupt: () => void
}

/** Starts a program of the examples in a separate process. `path` is relative to the folder of the examples. */
export const start = (path: string, env: Readonly<Record<string, string>> = {}): Program => {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url))
  const child = spawn(process.execPath, ["--conditions=effect-mcp-auth/source", file], { env, stdio: "pipe" })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk)
  const ended = once(child, "close").then(([code]) => ({ code, stdout, stderr }))
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", () => {
      if (stdout.includes("\n")) resolve(stdout.slice(0, stdout.indexOf("\n")))
    })
    void ended.then(({ code }) => reject(new Error(`${path} ended with ${code}: ${stderr}`)))
  })
  // Prevents an unhandled rejection if the caller uses only `ended`.
  firstLine.catch(() => {})
  return { firstLine, ended, interrupt: () => void child.kill("SIGINT") }
}
