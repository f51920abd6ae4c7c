import * as base64url from "../../crypto/Base64Url.ts"
import type { Version } from "./RecordStore.ts"

/** The length of a version, in characters. */
export const versionLength = 12

/** Creates a version of 9 random bytes. */
export const makeVersion = (): Version => base64url.encode(crypto.getRandomValues(new Uint8Array(9))) as Version
