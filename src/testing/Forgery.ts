/**
 * Common forgeries of JWT access tokens. Each one tests one check: a verifier that omits this check accepts the forgery.
 *
 * **Details**
 *
 * Each forgery has the reason for which it must be rejected. The security tests of this library use the same table as
 * `TestIssuer.mintBroken`.
 *
 * @since 0.1.0
 */
import { audienceForgeries } from "./internal/audienceForgeries.ts"
import { claimForgeries } from "./internal/claimForgeries.ts"
import type { Forgery } from "./internal/forge.ts"
import { formatForgeries } from "./internal/formatForgeries.ts"
import { issuerForgeries } from "./internal/issuerForgeries.ts"
import { keyForgeries } from "./internal/keyForgeries.ts"
import { signatureForgeries } from "./internal/signatureForgeries.ts"

export type { Forgery, ForgeryInput } from "./internal/forge.ts"

const table = {
  ...signatureForgeries,
  ...keyForgeries,
  ...formatForgeries,
  ...claimForgeries,
  ...audienceForgeries,
  ...issuerForgeries
}

/**
 * The name of a forgery.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = keyof typeof table

/**
 * The forgeries, by name.
 *
 * **Example** (All forgeries)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
 *
 * const tokens = Effect.gen(function*() {
 *   const issuer = yield* TestIssuer.TestIssuer
 *   return yield* Effect.forEach(Forgery.kinds, (kind) => issuer.mintBroken(kind))
 * })
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const forgeries: Readonly<Record<Kind, Forgery>> = table

/**
 * The names of the forgeries, in the order of the table.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds: ReadonlyArray<Kind> = Object.keys(table) as Array<Kind>
