/**
 * Exports the parts of clients that run on Node only.
 *
 * @since 0.1.0
 */
export * as NodeBrowser from "./NodeBrowser.ts"
