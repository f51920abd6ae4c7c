/**
 * The gate, for authors of hosts: it decides about each request.
 *
 * @since 0.1.0
 */
export * from "../../../authorization/Gate.ts"
/**
 * The options of `layer`, which are those of `AuthLayer.make` without a `Config` and an `httpClient`.
 *
 * @category models
 * @since 0.1.0
 */
export type { Options as LayerOptions } from "../../../composition/AuthOptions.ts"
export { layer } from "../../../composition/GateLayer.ts"
