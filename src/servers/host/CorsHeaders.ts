/* The CORS headers of rejections, which a CORS middleware may have set as well. */

export const allowOrigin = "access-control-allow-origin"

export const allowCredentials = "access-control-allow-credentials"

/** The headers whose values are lists. New members are added to the value that is already set. */
export const lists: ReadonlySet<string> = new Set([
  "access-control-expose-headers",
  "access-control-allow-headers",
  "vary"
])
