import { assert, describe, it } from "@effect/vitest"
import { retryAfterOf } from "../../../src/outbound/internal/retryAfter.ts"

describe("Retry-After", () => {
  it.each<[string | undefined, string | undefined, number]>([
    ["20", undefined, 20],
    [" 20 ", undefined, 20],
    ["0", undefined, 1],
    ["300", undefined, 300],
    ["301", undefined, 300],
    ["100000", undefined, 300],
    ["9".repeat(400), undefined, 300],
    ["-5", undefined, 1],
    ["1.5", undefined, 1],
    ["1e3", undefined, 1],
    ["soon", undefined, 1],
    ["", undefined, 1],
    [undefined, undefined, 1],
    ["Wed, 21 Oct 2026 07:28:40 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 40],
    ["Wed, 21 Oct 2026 09:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 300],
    ["Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 1],
    // A date is compared with the `Date` header. If that header is missing or invalid, the result is 1. These dates are far in
    // the future, so a comparison with the clock of this machine would give 300 instead.
    ["Thu, 21 Oct 2100 07:28:40 GMT", undefined, 1],
    ["Thu, 21 Oct 2100 07:28:40 GMT", "today", 1],
    ["Wed, 99 Oct 2026 07:28:40 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 1]
  ])("[T-AUD-08] %j with Date %j is %j seconds, for any clock of this machine", (header, date, seconds) => {
    assert.strictEqual(retryAfterOf({ "retry-after": header, date }), seconds)
  })
})
