import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import { type AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { isTextWithin, isValueWithin } from "../../protocol/JsonDepth.ts"
import { hasPlainMembers, mayHavePrototype } from "../../protocol/JsonMembers.ts"
import * as Operation from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"

/** The limits of a request body. The gate rejects a request that exceeds one of them. */
export interface Limits {
  /** The maximum length, in bytes. */
  readonly bytes: number
  /** The maximum number of operations. Each message of a batch and each URI of a `subscriptions/listen` counts. */
  readonly operations: number
  /** The maximum time to read the body, from the moment at which the gate begins to read. */
  readonly timeout: Duration.Duration
}

/** The limits, as options of server adapters. */
export interface Options {
  /** The maximum length of a body, in bytes. Default: 4 MiB. */
  readonly maximumBody?: number | undefined
  /** The maximum number of operations in a body. Default: 100. */
  readonly maximumOperations?: number | undefined
  /** The maximum time for reading a body. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
}

/** A parsed body, and the operations that it requests. */
export interface Message {
  readonly value: unknown
  readonly operations: ReadonlyArray<Operation.Operation>
}

/** The default of `maximumBody`, in bytes. Larger bodies are rejected with 413. */
export const defaultLimit = 4 * 1024 * 1024

export const contentTypeRejected = new MalformedRequest({ reason: "content-type" })
export const notJson = new MalformedRequest({ reason: "not-json" })
export const tooSlow = new MalformedRequest({ reason: "too-slow" })
export const tooLarge = new MalformedRequest({ reason: "too-large" })
const tooDeep = Result.fail(new MalformedRequest({ reason: "too-deep" }))
const namesPrototype = Result.fail(new MalformedRequest({ reason: "prototype" }))

/**
 * Creates the error if other code has read the body before the gate and has not passed the parsed body to the gate. The gate
 * cannot authorize operations that it does not know. `option` is the function that reads the body, and `fix` names what the host
 * has for a body that was read.
 */
export const makeConsumed = (option: string, fix: string): AuthConfigError =>
  ConfigOption.error(option, `other code read the body before the gate. Put the gate first, or ${fix}`, "conflict")

/**
 * Returns whether a request with this method must have a body with JSON-RPC messages. With other methods, a body is optional.
 * If there is one, its operations are authorized as well, because a body parser could read them and a handler could execute
 * them.
 */
export const carriesMessages = (method: string): boolean => !bodiless.has(method)

const bodiless = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"])

/** The message of a request without a body. */
export const empty: Message = { value: undefined, operations: [] }

/** Returns whether the media type of a `Content-Type` header is `application/json`. Ignores parameters such as `charset`. */
export const isJson = (contentType: string | undefined): boolean => contentType !== undefined && json.test(contentType)

const json = /^\s*application\/json\s*(?:;|$)/i

/**
 * Decodes the bytes of a body. Fails for invalid UTF-8, which is not JSON (RFC 8259 §8.1). Keeps a byte order mark, which the
 * JSON parser rejects.
 */
export const textOf = (bytes: Uint8Array | ArrayBuffer): Result.Result<string, MalformedRequest> => {
  try {
    return Result.succeed(decoder.decode(bytes))
  } catch {
    return Result.fail(notJson)
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Parses the text of a body and checks every message in it. */
export const parseText = (text: string, limits: Limits): Result.Result<Message, MalformedRequest> => {
  if (!isTextWithin(text)) return tooDeep
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return Result.fail(notJson)
  }
  if (mayHavePrototype(text) && !hasPlainMembers(value)) return namesPrototype
  return check(value, limits)
}

const check = (value: unknown, { operations }: Limits): Result.Result<Message, MalformedRequest> => {
  const found = Operation.fromBody(value, operations)
  return Result.isFailure(found) ? Result.fail(found.failure) : Result.succeed({ value, operations: found.success })
}

/** Parses the bytes of a body and checks every message in it. */
export const parse = (bytes: Uint8Array | ArrayBuffer, limits: Limits): Result.Result<Message, MalformedRequest> =>
  Result.flatMap(textOf(bytes), (text) => parseText(text, limits))

/** Checks the output of a body parser, which is a parsed value, or the text or bytes of the body. */
export const parsed = (value: unknown, limits: Limits): Result.Result<Message, MalformedRequest> => {
  if (value instanceof Uint8Array) return parse(value, limits)
  if (typeof value === "string") return parseText(value, limits)
  if (!isValueWithin(value)) return tooDeep
  return hasPlainMembers(value) ? check(value, limits) : namesPrototype
}

/** Returns whether text or bytes have at most this length, in bytes. Returns `true` for a parsed value, which has no length. */
export const isWithin = (received: unknown, bytes: number): boolean =>
  received instanceof Uint8Array
    ? received.length <= bytes
    : typeof received !== "string" ||
      (received.length <= bytes && new TextEncoder().encode(received).length <= bytes)

/** Checks only those options of an adapter that set limits, and returns the limits. Throws `AuthConfigError`. */
export const checkLimits = ({ bodyTimeout, maximumBody, maximumOperations }: Options): Limits =>
  checkReader({ bodyTimeout, maximumBody, maximumOperations })

/** Checks the options of a body reader, and returns the limits. Throws `AuthConfigError`, also for an unknown option. */
export const checkReader = (options: Options): Limits => {
  ConfigOption.check(options, "", table)
  const { bodyTimeout, maximumBody, maximumOperations } = options
  return {
    bytes: maximumBody ?? table.maximumBody.default,
    operations: maximumOperations ?? table.maximumOperations.default,
    timeout: Duration.fromInputUnsafe(bodyTimeout ?? table.bodyTimeout.default)
  }
}

const isCount = (value: unknown): boolean => typeof value === "number" && Number.isSafeInteger(value) && value > 0

const isTimeout = (value: unknown): boolean => {
  const timeout = OptionValue.toDuration(value)
  return timeout !== undefined && Duration.isFinite(timeout) && Duration.toMillis(timeout) >= 1
}

const table = {
  maximumBody: ConfigOption.withDefault<number>(
    defaultLimit,
    isCount,
    "a whole number of bytes from 1",
    `${defaultLimit / 1024 ** 2} MiB; the limit cannot be disabled`
  ),
  maximumOperations: ConfigOption.withDefault<number>(
    Operation.defaultMaximum,
    isCount,
    "a whole number of operations from 1",
    `${Operation.defaultMaximum}; the limit cannot be disabled`
  ),
  bodyTimeout: ConfigOption.withDefault<Duration.Input>(
    "30 seconds",
    isTimeout,
    "a finite duration of 1 millisecond or more",
    "30 seconds; the limit cannot be disabled"
  )
} satisfies ConfigOption.Table<keyof Options>
