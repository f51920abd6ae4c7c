/**
 * Stores records for clients and authorization servers: in memory, in Redis or in PostgreSQL, and encrypted.
 *
 * @since 0.1.0
 */
export * as Lease from "./Lease.ts"
export * as MemoryStore from "./MemoryStore.ts"
export * as PostgresStore from "./PostgresStore.ts"
export * as RecordStore from "./RecordStore.ts"
export * as RedisStore from "./RedisStore.ts"
export * as SealedStore from "./SealedStore.ts"
