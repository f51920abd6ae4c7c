import type { GrantView } from "./Grants.ts"

/* The records of codes, grants and persons in the store. None of them contains a code or a token. */

/** The part of a record that states for what a person approved which client. */
export interface Consent {
  readonly clientId: string
  readonly subject: string
  readonly display: string | undefined
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  readonly upstreamKey: string
}

/** A code. Times are in milliseconds since 1970. */
export interface CodeRecord extends Consent {
  readonly redirectUri: string
  readonly challenge: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** The time at which the code was used, or `undefined` for a code that can be used. */
  readonly usedAt: number | undefined
}

/** A generation of a refresh token, and the time at which the next one replaced it. */
export type Retired = readonly [generation: number, retiredAt: number]

/** A grant. Times are in milliseconds since 1970. */
export interface GrantRecord extends Consent {
  readonly createdAt: number
  readonly usedAt: number
  readonly checkedAt: number
  /** The end of the grant, which no refresh moves. */
  readonly endsAt: number
  /** The number of the current refresh token. It is 0 after the sign-in. */
  readonly generation: number
  /** The id of the secret that authenticates the current refresh token. */
  readonly kid: string
  /** The id of the secret that seals the records of the person. After a change of the secret, a refresh writes them again. */
  readonly sealedBy: string
  /** Random, so that the store and the secret are both needed to make a refresh token. */
  readonly seed: string
  /** Recently replaced refresh tokens, the oldest first. */
  readonly retired: ReadonlyArray<Retired>
}

/** The grants of a person. */
export interface PersonRecord {
  readonly grants: ReadonlyArray<string>
  /** Codes that were issued up to this time cannot be used, in milliseconds since 1970. */
  readonly revokedAt: number
}

const isText = (value: unknown): value is string => typeof value === "string"
const isTime = (value: unknown): value is number => Number.isSafeInteger(value)
const isMaybe = (isValue: (value: unknown) => boolean) => (value: unknown) => value === undefined || isValue(value)
const isListOf = (isValue: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(isValue)

type Form<A> = { readonly [K in keyof A]-?: (value: unknown) => boolean }

const consent: Form<Consent> = {
  clientId: isText,
  subject: isText,
  display: isMaybe(isText),
  resource: isText,
  scopes: isListOf(isText),
  upstreamKey: isText
}

const code: Form<CodeRecord> = {
  ...consent,
  redirectUri: isText,
  challenge: isText,
  issuedAt: isTime,
  expiresAt: isTime,
  usedAt: isMaybe(isTime)
}

const grant: Form<GrantRecord> = {
  ...consent,
  createdAt: isTime,
  usedAt: isTime,
  checkedAt: isTime,
  endsAt: isTime,
  generation: isTime,
  kid: isText,
  sealedBy: isText,
  seed: isText,
  retired: isListOf((entry) => isListOf(isTime)(entry) && (entry as ReadonlyArray<unknown>).length === 2)
}

const person: Form<PersonRecord> = { grants: isListOf(isText), revokedAt: isTime }

/** Writes a record as text. */
export const encode = (record: CodeRecord | GrantRecord | PersonRecord): string => JSON.stringify(record)

/** Reads a record. A text of another form is not a record, so a damaged store ends sessions instead of admitting anything. */
const decoder = <A extends object>(form: Form<A>) => (text: string): A | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== "object" || value === null) return undefined
    for (const name in form) {
      if (!form[name](Object.hasOwn(value, name) ? value[name as keyof object] : undefined)) return undefined
    }
    return value as A
  } catch {
    return undefined
  }
}

/** Reads the record of a code. Returns `undefined` for every other text. */
export const decodeCode: (text: string) => CodeRecord | undefined = decoder(code)

/** Reads the record of a grant. Returns `undefined` for every other text. */
export const decodeGrant: (text: string) => GrantRecord | undefined = decoder(grant)

/** Reads the record of a person. Returns `undefined` for every other text. */
export const decodePerson: (text: string) => PersonRecord | undefined = decoder(person)

/** Returns the time at which a grant ends if it is not refreshed before. `idleLifetime` is in milliseconds. */
export const expiryOf = (record: GrantRecord, idleLifetime: number): number =>
  Math.min(record.usedAt + idleLifetime, record.endsAt)

/** Describes a grant without the values that only the token endpoint needs. */
export const toView = (id: string, record: GrantRecord, idleLifetime: number): GrantView => ({
  id,
  clientId: record.clientId,
  person: { subject: record.subject, display: record.display },
  resource: record.resource,
  scopes: record.scopes,
  upstreamKey: record.upstreamKey,
  createdAt: record.createdAt,
  usedAt: record.usedAt,
  checkedAt: record.checkedAt,
  expiresAt: expiryOf(record, idleLifetime)
})
