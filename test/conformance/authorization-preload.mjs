/**
 * Loaded into the conformance tool before it starts (`NODE_OPTIONS=--import=…`), because the tool has no option that
 * sends a header. Adds CONFORMANCE_AUTHORIZATION as the Authorization header to each request to CONFORMANCE_ORIGIN.
 *
 * The tool sends with the built-in `fetch`, with its own copy of undici and with `node:http`. All of them announce a
 * request on a diagnostics channel before they write it, and let a subscriber add to its headers.
 */
import { subscribe } from "node:diagnostics_channel"

const { CONFORMANCE_AUTHORIZATION: authorization, CONFORMANCE_ORIGIN: origin } = process.env

if (authorization !== undefined && origin !== undefined) {
  subscribe("undici:request:create", ({ request }) => {
    if (String(request.origin) === origin) request.addHeader("authorization", authorization)
  })
  subscribe("http.client.request.created", ({ request }) => {
    if (`${request.protocol}//${request.getHeader("host")}` === origin) {
      request.setHeader("authorization", authorization)
    }
  })
}
