/** API keys for servers in tests. This file uses no module of Node, because it also runs in workerd. */
import { Effect } from "effect"
import { ApiKeys } from "effect-mcp-auth/api-keys"

const keyOf = (digit: string, secret: string) => `mcp_${digit.repeat(24)}_${secret.repeat(64)}`

export const reader: string = keyOf("1", "a")
export const writer: string = keyOf("2", "b")
export const expired: string = keyOf("3", "c")
/** A key for which the store fails. */
export const failing: string = keyOf("4", "d")
/** A key that has the identifier of `reader` and another secret. */
export const forged: string = keyOf("1", "b")
export const unknown: string = keyOf("5", "a")
/** A key of the tenant `acme`, one of `bolt`, and one of a tenant that does not exist. */
export const ofAcme: string = keyOf("6", "e")
export const ofBolt: string = keyOf("7", "e")
export const ofUnknownTenant: string = keyOf("8", "e")

const record = (
  key: string,
  hash: string,
  scopes: ReadonlyArray<string>,
  { expiresAt, tenant }: Pick<ApiKeys.ApiKeyRecord, "expiresAt" | "tenant"> = {}
): ApiKeys.ApiKeyRecord => ({
  identifier: key.slice(0, -65),
  hash,
  subject: "cron",
  scopes,
  expiresAt,
  tenant
})

export const records: ReadonlyArray<ApiKeys.ApiKeyRecord> = [
  record(reader, "_mj8yMUdO6fgCpiAy60ueDgH4eTJq7OvIo-0DyO9Ed0", ["todos:read"]),
  record(writer, "WQmEX0zF5BzE6aLxkBUWXTeED11qaazuqLBQaE714Wo", ["todos:read", "todos:write"]),
  record(expired, "U9AsLA26zis3kgmWeaF_WvaFTrtnZJqxzzvwkfeSyHs", ["todos:read"], {
    expiresAt: 1_700_000_000
  }),
  record(ofAcme, "L-H83zsmTwxUA5p9UxcLriIGf7rQvADSQfPOgLXlHfg", ["todos:read"], { tenant: "acme" }),
  record(ofBolt, "WYAgD20urCIoi06o59g2tlKHySVMjlinijWrGd2OGgA", ["todos:read"], { tenant: "bolt" }),
  record(ofUnknownTenant, "m11rIPmXPI_ccXCJl8oJHuSKTqJ_ijwkv2dzrIf3Oq8", ["todos:read"], { tenant: "nobody" })
]

/** The options of `ApiKeys.make`, in JSON. */
export type Settings = { readonly header: string } | { readonly scheme: "ApiKey" }

/** Returns the option `apiKeys` with a store of `records`. */
export const apiKeysOf = (settings: Settings): ApiKeys.Mechanism => {
  const { find } = ApiKeys.memory(records)
  return ApiKeys.make({
    ...settings,
    store: {
      find: (identifier) => failing.startsWith(identifier) ? Effect.fail(new Error("down")) : find(identifier)
    }
  })
}
