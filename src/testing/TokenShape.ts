/**
 * The shapes of the tokens that real providers issue, as data, for tests with a `TestIssuer`.
 *
 * **Details**
 *
 * A shape contains the claims and the header members that a provider writes. `confidence` names the source of this information.
 * A shape omits members that have no source.
 *
 * @since 0.1.0
 */
import { hostedShapes } from "./internal/hostedShapes.ts"
import { selfHostedShapes } from "./internal/selfHostedShapes.ts"
import { type Content, getTimes, makeText, type Members, type TokenShape } from "./internal/shape.ts"

export type { Content, TokenShape } from "./internal/shape.ts"

const table = { ...hostedShapes, ...selfHostedShapes }

/**
 * The name of a shape.
 *
 * @category models
 * @since 0.1.0
 */
export type Provider = keyof typeof table

/**
 * The shapes, by provider.
 *
 * @category constants
 * @since 0.1.0
 */
export const shapes: Readonly<Record<Provider, TokenShape>> = table

/**
 * The names of the shapes.
 *
 * @category constants
 * @since 0.1.0
 */
export const providers: ReadonlyArray<Provider> = Object.keys(table) as Array<Provider>

/**
 * Creates the claims of an ID token in the shape of a provider, for the user and the client in `content`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const idTokenClaims = (shape: TokenShape, content: Content): Members => ({
  iss: content.issuer,
  sub: shape.claims(content)["sub"] ?? content.subject,
  aud: content.clientId,
  ...getTimes(content),
  nonce: makeText(content.id, 22),
  ...shape.idToken?.(content)
})
