/**
 * Stores records on the disk of one machine, for programs on Node.
 *
 * @since 0.1.0
 */
export * as FileStore from "./FileStore.ts"
export * as SqliteStore from "./SqliteStore.ts"
