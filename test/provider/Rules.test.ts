import { assert, describe, it } from "@effect/vitest"
import { Rule } from "effect-mcp-auth/provider"
import * as CheckRules from "../../src/provider/CheckRules.ts"
import * as DoctorRules from "../../src/provider/DoctorRules.ts"

const words: Readonly<Record<Rule.Level, RegExp>> = {
  MUST: /\b(?:MUST|REQUIRED)\b/,
  SHOULD: /\b(?:SHOULD|RECOMMENDED|REQUIRED)\b/,
  MAY: /\b(?:MAY|OPTIONAL)\b/
}

describe.each(Object.entries({ CheckRules, DoctorRules }))("%s", (_name, rules) => {
  const all = Object.values(rules).filter((_): _ is Rule.Rule => "id" in _)

  it("no two have one id, and the list has all of them", () => {
    const ids = all.map((_) => _.id)
    assert.strictEqual(new Set(ids).size, ids.length)
    if ("all" in rules) assert.sameMembers(rules.all.map((_) => _.id), ids)
  })

  it.each(all)("$id: the level is that of the sentence, or said to be ours", (rule) => {
    for (const revision of Rule.revisions) {
      const level = Rule.levelOf(rule, revision)
      if (level === undefined) continue
      const sentence = Rule.sentenceOf(rule, revision)
      assert.isNotEmpty(sentence)
      if (rule.derived !== true) assert.match(sentence, words[level], revision)
    }
  })
})
