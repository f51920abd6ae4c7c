/** Bundles the Worker and runs it in workerd, the runtime of Cloudflare Workers, on this machine. */
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { fileURLToPath } from "node:url"

export interface Options {
  readonly port: number
  readonly bindings: { readonly RESOURCE_URL: string; readonly ISSUER: string }
}

export const start = async ({ bindings, port }: Options): Promise<Miniflare> => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    // The first condition is for a clone of the repository of effect-mcp-auth. Leave it out in your project.
    conditions: ["effect-mcp-auth/source", "workerd", "import", "default"],
    external: ["cloudflare:workers"]
  })
  const worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate: "2026-07-01",
    bindings,
    host: "127.0.0.1",
    port
  })
  await worker.ready
  return worker
}
