/**
 * Exports the gate for authors of server adapters. The gate decides about each request.
 *
 * @since 0.1.0
 */
export * from "../../../authorization/Gate.ts"
/**
 * The options of `layer`. They are those of `AuthLayer.make`, except that `httpClient` does not exist and that no value can be
 * a `Config`.
 *
 * @category models
 * @since 0.1.0
 */
export type { Options as LayerOptions } from "../../../composition/AuthOptions.ts"
export { layer } from "../../../composition/GateLayer.ts"
