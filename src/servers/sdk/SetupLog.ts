/**
 * Logs mistakes in the setup of a server, and which of its registrations are public.
 */
import * as Effect from "effect/Effect"
import type * as ManagedRuntime from "effect/ManagedRuntime"

/** The maximum number of messages, so that registrations with generated names cannot fill the log. */
const maximumMessages = 100

/** Logs a message the first time that it occurs. */
export type SetupLog = (level: "Info" | "Warn" | "Error", message: string) => void

/** Creates the log of one gate. */
export const make = (runtime: ManagedRuntime.ManagedRuntime<any, any>): SetupLog => {
  const logged = new Set<string>()
  return (level, message) => {
    if (logged.has(message) || logged.size >= maximumMessages) return
    logged.add(message)
    runtime.runFork(Effect.logWithLevel(level)(message))
  }
}
