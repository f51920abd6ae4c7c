/** The level "verify". It runs in a separate process, and measures the verification of tokens without a server. */
import { Effect, Layer, References, Scope } from "effect"
import { Gate } from "effect-mcp-auth/host"
import { Fetcher, Signature } from "effect-mcp-auth/verification"
import { verifiers } from "./peers/verifiers.mjs"
import { shuffled } from "./Stats.ts"
import { resource } from "./Subject.ts"

console.warn = () => {}

export interface Work {
  readonly issuer: string
  readonly algorithm: "RS256" | "ES256" | "EdDSA"
  readonly tokens: ReadonlyArray<string>
  /** Tokens with the `typ` that Hono's verifier accepts. It rejects the `typ` of RFC 9068. */
  readonly plain: ReadonlyArray<string>
  readonly rounds: number
  readonly milliseconds: number
}

/** CPU time per token in microseconds, by contender. Each contender has one value per round. */
export type Measured = Readonly<Record<string, ReadonlyArray<number>>>

const gateOf = async (issuer: string, capacity: number | undefined, signatures: Layer.Layer<never>) => {
  const layer = Gate.layer({
    resource,
    authorizationServers: [issuer],
    scopes: ["todos:read", "todos:write"],
    ...(capacity === undefined ? {} : { tokenCache: { capacity } })
  }).pipe(
    Layer.provide([Fetcher.layer, signatures]),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )
  const scope = Effect.runSync(Scope.make())
  return Effect.runPromise(
    Effect.provideContext(Gate.AuthLayer, await Effect.runPromise(Scope.provide(Layer.build(layer), scope)))
  )
}

/** Returns a function that verifies tokens with this library. One effect verifies all tokens of a call, as in a server. */
const own = async (issuer: string, capacity: number | undefined, signatures: Layer.Layer<never> = Layer.empty) => {
  const gate = await gateOf(issuer, capacity, signatures)
  const header = () => undefined
  return (tokens: ReadonlyArray<string>): Promise<void> =>
    Effect.runPromise(Effect.withFiber((fiber) =>
      Effect.gen(function*() {
        for (const token of tokens) {
          yield* gate.authenticate({ fiber, method: "GET", header, authorization: [`Bearer ${token}`] })
        }
      })
    ))
}

const measure = async ({ algorithm, issuer, milliseconds, plain, rounds, tokens }: Work): Promise<Measured> => {
  const all: Record<string, (tokens: ReadonlyArray<string>) => Promise<void>> = {
    "effect-mcp-auth, seen before": await own(issuer, undefined),
    "effect-mcp-auth, every token new": await own(issuer, 0),
    "effect-mcp-auth, every token new, jose": await own(issuer, 0, Signature.layerJose)
  }
  for (const [name, verify] of Object.entries(await verifiers(issuer, resource, algorithm))) {
    all[name] = async (tokens) => {
      for (const token of tokens) {
        const given = verify(token)
        if (given instanceof Promise) await given
      }
    }
  }
  const given = (name: string) => name.startsWith("hono") ? plain : tokens
  const measured: Record<string, Array<number>> = {}
  for (const [name, run] of Object.entries(all)) {
    try {
      await run(given(name))
      await run(given(name))
      measured[name] = []
    } catch (error) {
      console.log(`  ${name} does not verify ${algorithm}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffled(Object.keys(measured))) {
      const before = process.cpuUsage()
      const began = performance.now()
      let count = 0
      while (performance.now() - began < milliseconds) {
        await all[name]!(given(name))
        count += tokens.length
      }
      const { system, user } = process.cpuUsage(before)
      measured[name]!.push((user + system) / count)
    }
  }
  return measured
}

process.on("message", (work: Work) => void measure(work).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
process.send!("ready")
