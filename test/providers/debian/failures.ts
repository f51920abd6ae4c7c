/** Runs `check` for a server that the tests started. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Check, type Report } from "effect-mcp-auth/provider"
import { FetchHttpClient } from "effect/http"

const toFailures = ({ findings }: Report.Report): ReadonlyArray<string> =>
  findings.filter(({ level, verdict }) => level === "MUST" && verdict === "fail").map(({ rule }) => rule)

/** Returns the MUST rules that a running server fails. */
export const getFailures = (issuer: string): Effect.Effect<ReadonlyArray<string>> =>
  Check.run(issuer).pipe(Effect.map(toFailures), Effect.provide(FetchHttpClient.layer), Effect.orDie)

/** Returns the MUST rules that the metadata at a URL fail. Follows redirects, as official clients do. */
export const getDocumentFailures = (url: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const text = await (await fetch(url, { headers: { accept: "application/json" } })).text()
    const report = Check.checkDocuments([{ name: "metadata.json", text }], { now: Date.now() })
    assert("findings" in report, text)
    return toFailures(report)
  })
