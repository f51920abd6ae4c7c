import { assert, describe, it } from "@effect/vitest"
import { Rule } from "effect-mcp-auth/provider"
import * as AccessTokenRules from "../../src/provider/check/AccessTokenRules.ts"
import * as BrowserRules from "../../src/provider/check/BrowserRules.ts"
import { all } from "../../src/provider/check/CheckRules.ts"
import * as ClientRules from "../../src/provider/check/ClientRules.ts"
import * as DiscoveryRules from "../../src/provider/check/DiscoveryRules.ts"
import * as DoctorRules from "../../src/provider/doctor/DoctorRules.ts"
import * as ServerReport from "../../src/provider/report/ServerReport.ts"
import * as TokenRules from "../../src/provider/token/TokenRules.ts"

const words: Readonly<Record<Rule.Level, RegExp>> = {
  MUST: /\b(?:MUST|REQUIRED)\b/,
  SHOULD: /\b(?:SHOULD|RECOMMENDED|REQUIRED)\b/,
  MAY: /\b(?:MAY|OPTIONAL)\b/
}

const CheckRules = { ...DiscoveryRules, ...ClientRules, ...AccessTokenRules, ...BrowserRules, all }

const sets = { CheckRules, DoctorRules, ServerReport, TokenRules }

const getRules = (set: object): ReadonlyArray<Rule.Rule> =>
  Object.values(set).filter((_): _ is Rule.Rule => typeof _ === "object" && "id" in _)

it("the ids of rules are unique in the reports of check", () => {
  const ids = [...getRules(CheckRules), ...getRules(TokenRules)].map((_) => _.id)
  assert.deepStrictEqual(ids.filter((id, index) => ids.indexOf(id) !== index), [])
})

describe.each(Object.entries(sets))("%s", (_name, rules) => {
  const all = getRules(rules)

  it("have unique ids, and the list contains each of them", () => {
    const ids = all.map((_) => _.id)
    assert.strictEqual(new Set(ids).size, ids.length)
    if ("all" in rules) assert.sameMembers(rules.all.map((_) => _.id), ids)
  })

  it.each(all)("$id: the sentence contains the level, or the rule is marked as derived", (rule) => {
    for (const revision of Rule.revisions) {
      const level = Rule.getLevel(rule, revision)
      if (level === undefined) continue
      const sentence = Rule.getSentence(rule, revision)
      assert.isNotEmpty(sentence)
      if (rule.derived !== true) assert.match(sentence, words[level], revision)
    }
  })
})
