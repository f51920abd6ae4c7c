/**
 * The law that the list, the security schemes, the challenge, the envelope of a denial and the enforcement agree, over HTTP: random
 * policies on a running server of each kind that knows its tools.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Policy } from "effect-mcp-auth"
import { Challenge } from "effect-mcp-auth/protocol"
import { factsOfCall, Formula, hierarchies, inputs, names, pick, world } from "../../authorization/policy/formulas.ts"
import { ask, bearer } from "./cases.ts"
import { type Answer, makeIssuer } from "./Host.ts"
import { type PolicyServer, policyServers, type PolicyTool } from "./policyServers.ts"

const { client, issuer } = await makeIssuer()

/** A caller, or `undefined` for an anonymous one. */
type Who = { readonly scopes: ReadonlyArray<string>; readonly truths: ReadonlyArray<boolean> } | undefined

const authorizationOf = async (who: Who) =>
  who === undefined ? [] : bearer(
    await Effect.runPromise(issuer.mint({
      scopes: who.scopes,
      claims: { truths: who.truths, roles: who.truths[0] === true ? ["r0"] : [] }
    }))
  )

/** The challenge of a rejection, and the remediation of its envelope, in the form of HTTP or in a tool result. */
const rejectionIn = (answer: Answer) => {
  const { _meta: meta = {} } = answer.status === 200 ? messageOf(answer).result : {}
  const [challenge = answer.headers["www-authenticate"]] = meta["mcp/www_authenticate"] ?? []
  return {
    status: answer.status,
    scopes: challenge === undefined
      ? undefined
      : Challenge.scopes(Result.getOrThrow(Challenge.parse(challenge))[0]!) as ReadonlyArray<string>,
    remediation: meta["io.modelcontextprotocol/authorization"]?.remediation as string | undefined
  }
}

interface Scheme {
  readonly type: string
  readonly scopes?: ReadonlyArray<string>
}

interface Listed {
  readonly name: string
  readonly securitySchemes: ReadonlyArray<Scheme>
  readonly _meta: { readonly securitySchemes: ReadonlyArray<Scheme> }
}

/** The message of a response, which can be an event stream. */
const messageOf = ({ body }: Answer) =>
  JSON.parse(body.split("\n").map((line) => line.replace(/^data: /, "")).find((line) => line.startsWith("{"))!)

const clientOf = (running: Awaited<ReturnType<PolicyServer["start"]>>) => ({
  list: async (who: Who): Promise<ReadonlyMap<string, ReadonlyArray<Scheme>>> => {
    const answer = await running.send(ask(await authorizationOf(who), "tools/list"))
    assert.strictEqual(answer.status, 200, answer.body)
    const { tools } = messageOf(answer).result as { readonly tools: ReadonlyArray<Listed> }
    for (const { _meta, securitySchemes } of tools) assert.deepStrictEqual(_meta.securitySchemes, securitySchemes)
    return new Map(tools.map(({ name, securitySchemes }) => [name, securitySchemes]))
  },
  call: async (who: Who, name: string) => {
    await running.ran()
    const answer = await running.send(ask(await authorizationOf(who), "tools/call", { name, arguments: {} }))
    const ran = await running.ran()
    return { answer, hasRun: ran.includes(name) }
  }
})

const possible = (truths: ReadonlyArray<boolean>) =>
  [[false, false], [false, true], [true, false], [true, true]].map((results) => [
    ...truths.slice(0, factsOfCall[0]),
    ...results
  ])

/** The name of a tool that does not exist. */
const missingTool = "tool_x"

/** Checks that the answer to a call of `name` is the answer for a tool that does not exist. */
const assertUnknown = (name: string, hidden: Answer, missing: Answer): void => {
  assert.strictEqual(hidden.status, missing.status)
  assert.strictEqual(hidden.headers["www-authenticate"], missing.headers["www-authenticate"])
  assert.strictEqual(hidden.body.replaceAll(name, missingTool), missing.body)
}

const each = <A>(schema: Schema.Schema<A>, count: number) =>
  Schema.Array(schema).check(Schema.isMinLength(count), Schema.isMaxLength(count))

describe.each(policyServers)("$name", ({ start }) => {
  it.effect.prop(
    "[T-LAZY-04] [T-LAZY-05] [T-DENY-04] the list, the schemes, the challenge, the envelope and the enforcement agree about random policies",
    {
      baseline: inputs.baseline,
      hierarchy: inputs.hierarchy,
      formulas: each(Formula, 5),
      unauthorized: each(inputs.unauthorized, 5),
      authChallenge: Schema.Literals(["http", "tool-result"]),
      structuredDenials: Schema.Boolean,
      callers: each(Schema.Struct({ granted: inputs.granted, truths: inputs.truths }), 3)
    },
    (input) =>
      Effect.promise(async () => {
        const { holds, implied, toPolicy } = world(input)
        const given = pick(input.baseline)
        const baseline = given.length === 0 ? ["s0"] : given
        const tools = input.formulas.map((formula, index) => ({
          name: `tool_${index}`,
          formula,
          // A formula of scopes alone is a list of scopes.
          ...("scopes" in formula
            ? { scopes: formula.scopes.map((scope) => names[scope]!) }
            : { policy: toPolicy(formula) }),
          unauthorized: input.unauthorized[index]!
        }))
        const open: ReadonlyArray<PolicyTool> = [
          { name: "anyone", policy: Policy.anyone },
          { name: "optional", policy: Policy.optional(Policy.scopes("s3")) },
          { name: "free" }
        ]
        const settings = {
          scopes: { baseline, stepUp: names.filter((name) => !baseline.includes(name)) },
          scopeHierarchy: hierarchies[input.hierarchy]!,
          anonymous: "allow-unscoped",
          authChallenge: input.authChallenge,
          structuredDenials: input.structuredDenials
        } as const
        /** Checks the form of a rejection, and that its envelope says the same as its challenge. Returns the scopes of the challenge. */
        const scopesIn = (answer: Answer, hasChallenge: boolean, statusOfHttp: 401 | 403) => {
          const { scopes, ...form } = rejectionIn(answer)
          const isResult = hasChallenge ? settings.authChallenge === "tool-result" : settings.structuredDenials
          assert.strictEqual(scopes !== undefined, hasChallenge)
          assert.deepStrictEqual(form, {
            status: isResult ? 200 : statusOfHttp,
            remediation: isResult && settings.structuredDenials ? hasChallenge ? "available" : "undisclosed" : undefined
          })
          return scopes
        }
        const running = await start([...tools, ...open], settings, issuer.issuer, client)
        const { call, list } = clientOf(running)
        try {
          // Tools that admit anonymous callers
          const anonymous = await list(undefined)
          for (const [name, scopes] of [["anyone"], ["optional", "s3"], ["free"]] as const) {
            const oauth2 = scopes === undefined ? [] : [{ type: "oauth2", scopes: [...new Set([...baseline, scopes])] }]
            assert.deepStrictEqual(anonymous.get(name), [{ type: "noauth" }, ...oauth2])
            assert.isTrue((await call(undefined, name)).hasRun)
          }

          for (const { formula, name, unauthorized } of tools) {
            const signIn = await call(undefined, name)
            assert.isFalse(signIn.hasRun)
            const schemes = anonymous.get(name)
            assert.strictEqual(schemes === undefined, unauthorized === "hide")
            if (schemes === undefined) {
              assertUnknown(name, signIn.answer, (await call(undefined, missingTool)).answer)
              continue
            }
            assert.deepStrictEqual(schemes, [{ type: "oauth2", scopes: scopesIn(signIn.answer, true, 401)! }])
            // The schemes suffice for a caller who meets the conditions.
            const everything = { scopes: schemes[0]!.scopes!, truths: input.callers[0]!.truths.map(() => true) }
            if (unauthorized === "challenge") assert.isTrue((await call(everything, name)).hasRun)
            else assert.deepStrictEqual(schemes[0]!.scopes, baseline)
            assert.isTrue(holds(formula, names, everything.truths))
          }

          for (const { granted, truths } of input.callers) {
            const who = { scopes: pick(granted), truths }
            const shown = await list(who)
            const missing = await call(who, missingTool)
            for (const { formula, name, unauthorized } of tools) {
              const isAllowed = holds(formula, who.scopes, truths)
              const isVisible = unauthorized !== "hide" ||
                possible(truths).some((results) => holds(formula, who.scopes, results))
              const { answer, hasRun } = await call(who, name)
              assert.deepStrictEqual([shown.has(name), hasRun], [isVisible, isAllowed], name)
              // The schemes are the same for each caller. Those of a hidden tool name no scope of its policy.
              if (isVisible) {
                assert.deepStrictEqual(
                  shown.get(name),
                  anonymous.get(name) ?? [{ type: "oauth2", scopes: baseline }]
                )
              }
              if (isAllowed) continue
              if (!isVisible) {
                assertUnknown(name, answer, missing.answer)
                continue
              }
              const requested = scopesIn(answer, unauthorized === "challenge" && holds(formula, names, truths), 403)
              if (requested === undefined) continue
              assert.isTrue((await call({ scopes: [...who.scopes, ...requested], truths }, name)).hasRun)
              // Without any one of the missing scopes, the call would not run.
              const core = requested.filter((scope) =>
                !implied(who.scopes).has(scope) &&
                !requested.some((other) => other !== scope && implied([other]).has(scope))
              )
              for (const scope of core) {
                const others = requested.filter((other) => other !== scope)
                assert.isFalse(holds(formula, [...who.scopes, ...others], truths))
              }
            }
          }
        } finally {
          await running.stop()
        }
      }),
    { arbitrary: { runs: 12 }, timeout: 60_000 }
  )
})
