/** The record of the cron job's API key. It contains a hash; only `call.sh` contains the key. */
import { ApiKeys } from "effect-mcp-auth/api-keys"

/** In a real server, `ApiKeys.generate` makes the key and the record, and the record is in a database. */
const record: ApiKeys.ApiKeyRecord = {
  identifier: "mcp_0f1e2d3c4b5a69788796a5b4",
  hash: "JeXadg5HobfJrlysFGcOi7Cwhq2J-Hjp9itxV646Z4g",
  subject: "nightly-export",
  scopes: [],
  roles: ["exporter"]
}

export const keys: ApiKeys.Store = ApiKeys.memory([record])
