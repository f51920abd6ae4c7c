/** The level "memory". It runs in a separate process with `--expose-gc`, verifies distinct tokens, and measures the heap. */
import { Effect, Layer, References, Scope } from "effect"
import { Gate } from "effect-mcp-auth/host"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Fetcher } from "effect-mcp-auth/verification"
// oxlint-disable-next-line no-restricted-imports -- see below: a million signatures by the key of TestIssuer
import { createPrivateKey, createSign, type KeyObject } from "node:crypto"
import { resource } from "./Subject.ts"

/** Default capacity of the cache. */
const capacity = 10_000

const heap = () => {
  for (let turn = 0; turn < 3; turn++) globalThis.gc!()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const run = async (count: number) => {
  const issuer = await TestIssuer.start({ resource, algorithm: "ES256" })
  const { kid, privateKey } = await issuer.currentKey()
  // Signs the tokens here with the key of the issuer, because a synchronous signature takes a third of the time of a signature
  // that another thread computes.
  const key = createPrivateKey({ key: await crypto.subtle.exportKey("jwk", privateKey) as never, format: "jwk" })
  const layer = Gate.layer({
    resource,
    authorizationServers: [issuer.issuer],
    scopes: ["todos:read", "todos:write"]
  }).pipe(
    Layer.provide(Fetcher.layerFetch(issuer.fetch)),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )
  const scope = Effect.runSync(Scope.make())
  const gate = await Effect.runPromise(
    Effect.provideContext(Gate.AuthLayer, await Effect.runPromise(Scope.provide(Layer.build(layer), scope)))
  )
  const header = () => undefined
  const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const head = segment({ alg: "ES256", typ: "at+jwt", kid })
  const seconds = Math.floor(Date.now() / 1000)
  let made = 0
  const verify = async (many: number) => {
    for (let left = many; left > 0;) {
      const batch = Math.min(left, 64)
      left -= batch
      await Promise.all(Array.from({ length: batch }, () => {
        const number = made++
        const token = sign(
          key,
          `${head}.${
            segment({
              iss: issuer.issuer,
              sub: `subject-${number}`,
              aud: resource,
              client_id: "client-1",
              iat: seconds,
              exp: seconds + 86_400,
              jti: `jti-${number}`,
              scope: "todos:read todos:write",
              sid: `session-${String(number).padStart(20, "0")}`
            })
          }`
        )
        return Effect.runPromise(
          Effect.withFiber((fiber) =>
            gate.authenticate({ fiber, method: "GET", header, authorization: [`Bearer ${token}`] })
          )
        )
      }))
    }
  }
  const empty = heap()
  // First verifies twice as many tokens as the cache can hold, so that compiled code and tables have their final size before
  // `full` is measured.
  await verify(2 * capacity)
  const full = heap()
  await verify(count - 2 * capacity)
  return { count, empty, full, end: heap() }
}

const sign = (key: KeyObject, input: string) =>
  `${input}.${createSign("SHA256").update(input).sign({ key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`

/** The number of tokens, and the heap in MiB at three times: at the start, when the cache is full, and at the end. */
export type Measured = Awaited<ReturnType<typeof run>>

process.on("message", (count: number) => void run(count).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
process.send!("ready")
