import * as ConfigOption from "./ConfigOption.ts"

/* Checks the names of headers that contain credentials by configuration. */

const name = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/

/**
 * Headers with another meaning. Some of them also have duplicates that Node drops, and the duplicates of a header with credentials
 * must be seen.
 */
const reserved =
  /^(?::.*|accept.*|age|allow|authorization|cache-control|connection|content-.*|cookie2?|date|dpop|dpop-nonce|etag|expect|expires|forwarded|from|host|if-.*|keep-alive|last-event-id|last-modified|location|max-forwards|mcp-.*|origin|pragma|proxy-.*|range|referer|retry-after|sec-.*|server|set-cookie.*|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|www-authenticate|x-forwarded-(?:for|host|port|prefix|proto))$/i

/** Accepts the name of a header that no standard uses, such as `x-api-key`. */
export const check: ConfigOption.Rule = ConfigOption.rule(
  (_) => typeof _ === "string" && name.test(_) && !reserved.test(_),
  "the name of a header without another meaning",
  "Write one such as \"x-api-key\""
)
