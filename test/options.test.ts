/**
 * Calls every exported function that takes options with a misspelled option and with values that are not options. The list of
 * these functions (`tools/options/Functions.ts`) is compared with the types, so a new function fails this test until it has an
 * entry.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Profile } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { join } from "node:path"
import { entries, failureOf, makeFetch, options } from "../tools/options/Functions.ts"
import * as Reference from "../tools/reference/Reference.ts"

/** The functions whose parameter looks like options and is none, each with the reason. */
const others: Readonly<Record<string, string>> = {
  "client-node/NodeBrowser.printCode": "its argument comes from the client",
  "core/Decision.now": "a value of the library",
  "core/Profile.completeOptions": "called with checked options",
  "client/ClientAuthentication.make": "the options of the caller, which the caller checks",
  "host/Gate.make": "called with checked options, as its documentation says",
  "host/ProtectedResource.ofTenant": "a value of the library",
  "host/WebRequest.toResponse": "a value of the library",
  "protocol/Challenge.bearer": "the parameters of a header",
  "protocol/Challenge.dpop": "the parameters of a header",
  "protocol/WellKnown.issuerOfMetadata": "a value of the platform",
  "provider/Check.checkFact": "a value of the library",
  "provider/Check.getIssuer": "a value of the library",
  "provider/Report.make": "a value of the library",
  "provider/Report.toExitCode": "a value of the library",
  "provider/Rule.getSentence": "a value of the library",
  "store/SealedStore.make": "a value of the library",
  "verification/IntrospectionVerifier.make": "called with checked options",
  "verification/IssuerVerifier.make": "called with checked options",
  "verification/JwtVerifier.make": "called with checked options",
  "verification/TokenCache.make": "the result of `settings`"
}

describe("a misspelled option", () => {
  it.each(Object.entries(entries))("is an error that names the closest option in %s", async (_, entry) => {
    const [wrong, right] = entry.misspelled
    const failure = await failureOf(() => entry.call({ ...(entry.valid ?? options), [wrong]: undefined } as never))
    assert.include(["AuthConfigError", "InvalidInput"], (failure as { readonly _tag?: string } | undefined)?._tag)
    const { message } = failure as Error
    assert.match(
      message,
      new RegExp(`\\b${wrong}: there is no such option\\. (?:The closest one is|Write) ${right}\\b`)
    )
  })
})

describe("a value that is not an object of options", () => {
  it.each(Object.entries(entries))("is an error that states what to give in %s", async (_, { call, isOptional }) => {
    for (const value of [null, "text", ["text"], ...(isOptional === true ? [] : [undefined])]) {
      const failure = await failureOf(() => call(value as never))
      assert.include(
        ["AuthConfigError", "InvalidInput"],
        (failure as { readonly _tag?: string } | undefined)?._tag,
        `${String(value)}: ${String(failure)}`
      )
      assert.match((failure as Error).message, /not (?:an object|an absolute URL|text)|missing; expected|a list/)
    }
  })
})

describe("the options of a profile", () => {
  const names = Object.keys(Profiles).filter((name) => typeof Profiles[name as never] === "function")

  it.each(names)("are checked by Profiles.%s, and the error names the closest one", async (name) => {
    const profile = (Profiles as unknown as Record<string, (options: object) => Profile.Profile>)[name]!
    const failure = await failureOf(() => makeFetch({ authorizationServers: [profile({ audienc: "a" })] }))
    assert.match((failure as Error).message, new RegExp(`Profiles\\.${name}\\.audienc: there is no such option`))
  })
})

describe("the list of functions that take options", () => {
  it("contains every exported function whose type has a parameter for options", () => {
    const takesOptions = /[(,] ?(?:options|settings|limits|expected|purpose)\??: /
    const found = Reference.read(join(import.meta.dirname, "..")).flatMap(({ folder, pages }) =>
      pages.flatMap((page) =>
        page.items.filter(({ signatures }) => signatures.some((_) => takesOptions.test(_.replace(/\s+/g, " "))))
          .filter(({ kind }) => kind === "function" || kind === "const")
          .map(({ name }) => `${folder}/${page.name}.${name}`)
      )
    ).filter((name) =>
      !/^(?:provider\/Profiles\.|core\/Policy\.|verification\/TokenVerifier\.|testing\/expect)/.test(name)
    )
    const known = new Set([...Object.keys(entries), ...Object.keys(others)])
    assert.deepStrictEqual(found.filter((name) => !known.has(name)), [])
    assert.isAbove(found.length, 50)
  })
})
