/**
 * Verifies mutated tokens with two implementations of signatures, and compares the results. One is jose, the other is the
 * default of the platform. Everything else in the verifier is the same.
 */
import { Context, Effect, Layer, References } from "effect"
import { Gate } from "effect-mcp-auth/host"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { Algorithm, Signature } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"

const resource = "https://server.test/mcp"

export interface Outcome {
  readonly count: number
  readonly admitted: number
  /**
   * Number of tokens that were rejected because of their signature. All other rejections come from code that does not depend
   * on the implementation of signatures.
   */
  readonly bySignature: number
  /** Tokens for which the results of the two implementations differ. */
  readonly differences: ReadonlyArray<string>
}

/** Returns the random number generator mulberry32. The seed determines all numbers, so that a run can be repeated. */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Random = () => number
type Parts = readonly [header: string, claims: string, signature: string]
type Change = (token: Parts, random: Random, others: ReadonlyArray<Parts>) => Parts

const below = (random: Random, end: number) => Math.floor(random() * end)
const pick = <A>(random: Random, from: ReadonlyArray<A>): A => from[below(random, from.length)]!

const bytes =
  (change: (signature: Buffer, random: Random) => Buffer): Change => ([header, claims, signature], random) => [
    header,
    claims,
    change(Buffer.from(signature, "base64url"), random).toString("base64url")
  ]

const flipped = (text: string, at: number, random: Random) =>
  text.slice(0, at) + pick(random, [..."ABCDwxyz0189-_=+/. \u00e9"]) + text.slice(at + 1)

const header = (change: (header: Record<string, unknown>, random: Random) => object): Change => (token, random) => {
  const [header, claims, signature] = token
  try {
    const read = JSON.parse(Buffer.from(header, "base64url").toString())
    return [Buffer.from(JSON.stringify(change(read, random))).toString("base64url"), claims, signature]
  } catch {
    return token // an earlier mutation left a header that is not JSON
  }
}

/** Converts a raw ECDSA signature (`r` and `s`) to DER, the encoding that other libraries use and that JWTs do not allow. */
const der = (raw: Buffer): Buffer => {
  const integer = (part: Buffer) => {
    let from = 0
    while (from < part.length - 1 && part[from] === 0) from++
    const body = part[from]! >= 0x80 ? Buffer.concat([Buffer.of(0), part.subarray(from)]) : part.subarray(from)
    return Buffer.concat([Buffer.of(2, body.length), body])
  }
  const half = raw.length / 2
  const body = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))])
  return Buffer.concat([body.length < 0x80 ? Buffer.of(0x30, body.length) : Buffer.of(0x30, 0x81, body.length), body])
}

const changes: ReadonlyArray<Change> = [
  (token) => token,
  // Change a bit, a byte or several bytes of the signature.
  bytes((signature, random) => {
    const at = below(random, signature.length)
    signature[at] = signature[at]! ^ (1 << below(random, 8))
    return signature
  }),
  bytes((signature, random) => signature.subarray(0, below(random, signature.length + 1))),
  bytes((signature, random) => Buffer.concat([signature, Buffer.alloc(1 + below(random, 4), below(random, 256))])),
  bytes((signature, random) => Buffer.concat([Buffer.alloc(1 + below(random, 2)), signature])),
  bytes((signature, random) => signature.fill(pick(random, [0, 1, 0xff]), below(random, signature.length))),
  bytes((signature) =>
    Buffer.concat([signature.subarray(signature.length / 2), signature.subarray(0, signature.length / 2)])
  ),
  bytes((signature, random) =>
    random() < 0.5
      ? Buffer.concat([Buffer.alloc(signature.length / 2), signature.subarray(signature.length / 2)])
      : Buffer.concat([signature.subarray(0, signature.length / 2), Buffer.alloc(signature.length / 2)])
  ),
  bytes(der),
  bytes((signature) => Buffer.from(signature).reverse()),
  // Change one character of a segment, or append characters. Some results are other encodings of the same bytes.
  ([h, c, s], random) => [h, c, flipped(s, below(random, s.length), random)],
  ([h, c, s], random) => [h, flipped(c, below(random, c.length), random), s],
  ([h, c, s], random) => [flipped(h, below(random, h.length), random), c, s],
  ([h, c, s], random) => [h, c, flipped(s, s.length - 1, random)],
  ([h, c, s], random) => [h, c, `${s}${pick(random, ["=", "==", ".", " ", "A", "\n"])}`],
  // Combine parts of different tokens.
  ([h, c], random, others) => [h, c, pick(random, others)[2]],
  ([h, , s], random, others) => [h, pick(random, others)[1], s],
  ([, c, s], random, others) => [pick(random, others)[0], c, s],
  // Change the header: the algorithm, the key id, the type, and the members `crit` and `b64`.
  header((of, random) => ({ ...of, alg: pick(random, [...Algorithm.all, "none", "HS256", "ES256K", "RS1", ""]) })),
  header(({ kid: _, ...of }) => of),
  header((of, random) => ({ ...of, typ: pick(random, ["JWT", "jose", "at+JWT"]) })),
  header((of, random) => ({ ...of, ...pick(random, [{ crit: ["b64"], b64: false }, { b64: true }, { crit: [] }]) }))
]

const gateOf = (client: HttpClient.HttpClient, issuer: string, importKey: Signature.ImportKey) =>
  Effect.map(
    Layer.build(
      Gate.layer({
        resource,
        authorizationServers: [issuer],
        scopes: ["a"],
        tokenCache: { capacity: 0 }
      }).pipe(
        Layer.provide(HttpClientFetcher.layer),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
        Layer.provide(Layer.succeed(Signature.Signature, importKey))
      )
    ),
    (context) => Context.get(context, Gate.AuthLayer)
  )

/** Verifies `count` mutated tokens with both implementations. */
export const run = (
  options: { readonly count: number; readonly seed: number; readonly progress?: (done: number) => void }
): Effect.Effect<Outcome> =>
  Effect.gen(function*() {
    const [algorithm, ...algorithms] = Algorithm.all
    const { client, issuer } = yield* TestIssuer.make({ resource, algorithm, algorithms })
    const gates = [
      yield* gateOf(client, issuer.issuer, Signature.viaJose),
      yield* gateOf(client, issuer.issuer, Signature.viaPlatform)
    ] as const
    const random = randomOf(options.seed)
    const tokens: Array<Parts> = []
    for (const algorithm of Algorithm.all) {
      for (let index = 0; index < 8; index++) {
        const token = yield* issuer.mint({
          algorithm,
          subject: `${algorithm}-${index}`,
          scopes: ["a"],
          expiresIn: "1 day"
        })
        tokens.push(token.split(".") as unknown as Parts)
      }
    }
    const ask = (gate: Gate.AuthLayer["Service"], token: string) =>
      Effect.withFiber((fiber) =>
        gate.authenticate({ fiber, method: "GET", header: () => undefined, authorization: [`Bearer ${token}`] })
      ).pipe(
        Effect.map(({ principal }) => principal === undefined ? "anonymous" : `in: ${principal.key}`),
        // If no known key verifies the signature of a token without `kid`, the reason depends on timing: it is a cooldown if
        // the keys were fetched for another token shortly before. Both reasons count as the same result.
        Effect.catch(({ reason }) => Effect.succeed(reason === "keys-cooling-down" ? "signature" : reason))
      )
    let done = 0
    let admitted = 0
    let bySignature = 0
    const differences: Array<string> = []
    const turns = function*() {
      for (let turn = 0; turn < options.count; turn++) yield turn
    }
    yield* Effect.forEach(
      turns(),
      () => {
        let parts = pick(random, tokens)
        for (let times = 1 + below(random, 2); times > 0; times--) parts = pick(random, changes)(parts, random, tokens)
        const token = parts.join(".")
        return Effect.map(Effect.all([ask(gates[0], token), ask(gates[1], token)]), ([jose, platform]) => {
          if (jose.startsWith("in: ")) admitted++
          if (jose === "signature") bySignature++
          if (jose !== platform) differences.push(`${token}: ${jose} by jose, ${platform} by the platform`)
          if (++done % 10_000 === 0) options.progress?.(done)
        })
      },
      { concurrency: 8, discard: true }
    )
    return { count: done, admitted, bySignature, differences }
  }).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Effect.scoped, Effect.orDie)
