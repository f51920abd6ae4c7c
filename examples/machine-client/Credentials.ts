/** The credentials of the client at one authorization server: a private key, or else a secret. */
import { Redacted } from "effect"
import { Grant } from "effect-mcp-auth/client"
import { readFile } from "node:fs/promises"

export const read = async (issuer: string, { CLIENT_KEY, CLIENT_SECRET }: NodeJS.ProcessEnv): Promise<Grant.Grant> => {
  if (CLIENT_KEY !== undefined) {
    const privateKey = Redacted.make(JSON.parse(await readFile(CLIENT_KEY, "utf8")))
    return Grant.clientCredentials({ issuer, clientId: "nightly-report-with-key", privateKey })
  }
  if (CLIENT_SECRET !== undefined) {
    return Grant.clientCredentials({ issuer, clientId: "nightly-report", clientSecret: Redacted.make(CLIENT_SECRET) })
  }
  throw new Error("Set CLIENT_KEY to the file of a private key, or CLIENT_SECRET")
}
