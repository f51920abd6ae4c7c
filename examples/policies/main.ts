/** Starts an authorization server, and the articles server twice: on Effect and on SDK v2. */
import { getRequestListener } from "@hono/node-server"
import { HttpRouter } from "effect/http"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import { keys } from "./CronJob.ts"
import * as EffectServer from "./EffectServer.ts"
import { makeIssuer } from "./issuer.ts"
import * as SdkServer from "./SdkServer.ts"

const { ISSUER_PORT = "4000", PORT = "3000", SDK_PORT = "3001" } = process.env
const issuer = `http://127.0.0.1:${ISSUER_PORT}`
const effectUrl = `http://127.0.0.1:${PORT}/mcp`
const sdkUrl = `http://127.0.0.1:${SDK_PORT}/mcp`

const serve = async (port: string, listener: unknown) => {
  await once(createServer(listener as RequestListener).listen(Number(port), "127.0.0.1"), "listening")
}

await serve(ISSUER_PORT, await makeIssuer(issuer))

const options = { authorizationServers: [issuer], keys } as const
const onEffect = HttpRouter.toWebHandler(EffectServer.layer({ ...options, resource: effectUrl }), {
  disableLogger: true
})
const onSdk = await SdkServer.make({ ...options, resource: sdkUrl })
await serve(PORT, getRequestListener((request) => onEffect.handler(request)))
await serve(SDK_PORT, getRequestListener(onSdk.fetch))

console.log(`authorization server ${issuer}\non Effect ${effectUrl}\non SDK v2 ${sdkUrl}`)
