/**
 * Records the steps of clients: as events for the program, and in logs, metrics and spans.
 *
 * @since 0.1.0
 */
export * as ClientEvents from "./ClientEvents.ts"
