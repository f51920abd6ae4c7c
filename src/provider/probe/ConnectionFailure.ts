import * as HttpUri from "../../protocol/HttpUri.ts"
import { mixedAddresses, notPublic } from "./NamedHosts.ts"

/** The parts of an error of `node:http`, `node:tls`, `node:dns` or `fetch` that show the cause of a failed connection. */
interface Failure {
  readonly code: string
  readonly message: string
  /** The name that a failed look-up was for, and the port that a failed connection was to. */
  readonly hostname?: unknown
  readonly port?: unknown
  /** The first bytes of a response that is not HTTP. */
  readonly rawPacket?: unknown
}

/** Returns an error with its causes, outermost first. Clients wrap the error of the socket in other errors. */
const getFailures = (error: unknown, depth = 0): ReadonlyArray<Failure> => {
  if (typeof error !== "object" || error === null || depth > 8) return []
  const { cause, code, errors, message, name, reason } = error as Readonly<Record<string, unknown>>
  return [
    {
      ...error,
      code: typeof code === "string" ? code : name === "HTTPParserError" ? name : "",
      message: typeof message === "string" ? message : ""
    },
    ...[cause, reason, ...(Array.isArray(errors) ? errors.slice(0, 4) : [])].flatMap((_) => getFailures(_, depth + 1))
  ]
}

/**
 * Describes in plain words why a request got no response, with the code of the error. The description is the second part of a
 * sentence that begins with the URL. Contains no text of the server.
 */
export const describeFailure = (error: unknown, url: URL): string => {
  const failures = getFailures(error)
  for (const failure of failures) {
    const found = describeCode(failure, url)
    if (found !== undefined) {
      const proxied = isOfProxy(failure, url) ? `cannot be reached, because the proxy ${found}` : found
      return `${proxied} (${getLabel(failure)})`
    }
  }
  const code = failures.map(({ code }) => code).filter((code) => /^[A-Z][A-Z0-9_]{1,60}$/.test(code)).at(-1)
  return code === undefined ? "cannot be reached" : `cannot be reached (${code})`
}

/** Tells whether a failed look-up or connection was that of another host: a client with a proxy connects to the proxy only. */
const isOfProxy = ({ hostname, port }: Failure, url: URL): boolean =>
  (typeof hostname === "string" && hostname !== url.hostname && !HttpUri.isLoopback(url.hostname)) ||
  (typeof port === "number" && String(port) !== (url.port || (url.protocol === "https:" ? "443" : "80")))

/** Returns the code for the report. `EPROTO` stands for every failure of TLS, so the reason of OpenSSL is added. */
const getLabel = ({ code, message }: Failure): string =>
  code === "EPROTO" ? `EPROTO: ${/:SSL routines:[^:]*:([^:]{1,60})/.exec(message)?.[1] ?? "TLS"}` : code || message

const needsProxyCredentials = "cannot be reached, because the proxy requires a user name and a password"
const trusted = "Node trusts it if NODE_EXTRA_CA_CERTS names the file of its authority"

const descriptions: Readonly<Record<string, string>> = {
  [notPublic]:
    "is on a loopback or private address, to which a check of a public server sends nothing. Check it separately",
  [mixedAddresses]: "resolves to public and to private addresses, so no request was sent. Correct its DNS records",

  DEPTH_ZERO_SELF_SIGNED_CERT: `has a self-signed certificate. ${trusted}`,
  SELF_SIGNED_CERT_IN_CHAIN: `has a certificate of a private authority. ${trusted}`,
  UNABLE_TO_GET_ISSUER_CERT: `has a certificate of an unknown authority. ${trusted}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `has a certificate of an unknown authority. ${trusted}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    `has a certificate of an unknown authority, or sends it without the intermediate certificates. ${trusted}`,
  CERT_HAS_EXPIRED: "has an expired certificate",
  CERT_NOT_YET_VALID: "has a certificate that is not valid yet. Compare the clocks of both machines",
  CERT_REVOKED: "has a revoked certificate",
  ERR_TLS_CERT_ALTNAME_INVALID: "has a certificate for another host name",
  HOSTNAME_MISMATCH: "has a certificate for another host name",

  ENOTFOUND: "is not a known host name",
  EAI_AGAIN: "cannot be resolved. Check the connection of this machine",
  ECONNREFUSED: "does not accept the connection",
  ETIMEDOUT: "does not respond",
  UND_ERR_CONNECT_TIMEOUT: "does not respond",
  UND_ERR_HEADERS_TIMEOUT: "does not respond",
  UND_ERR_BODY_TIMEOUT: "does not respond",
  EHOSTUNREACH: "cannot be reached from here",
  ENETUNREACH: "cannot be reached from here",
  HPE_HEADER_OVERFLOW: "sends more than 16 KiB of headers, which clients reject",
  UND_ERR_HEADERS_OVERFLOW: "sends more than 16 KiB of headers, which clients reject"
}

/** The reasons of OpenSSL, as they appear in messages and, in capitals, in codes. */
const tlsReasons: ReadonlyArray<readonly [pattern: RegExp, description: string]> = [
  [
    /wrong.version.number|packet.length.too.long|http.request|record.layer.failure/i,
    "does not use TLS on this port. If the server expects http, write http"
  ],
  [
    /protocol.version|unsupported.protocol|no.protocols.available/i,
    "supports no version of TLS that this machine accepts. TLS 1.2 or later is required"
  ],
  [/certificate.required|bad.certificate|alert.unknown.ca/i, "requires a certificate of the client"],
  [/unrecognized.name/i, "does not serve this host name"]
]

const describeCode = (failure: Failure, url: URL): string | undefined => {
  const { code, message, rawPacket } = failure
  const isHttp = url.protocol === "http:"
  if (Object.hasOwn(descriptions, code)) return descriptions[code]
  if (code === "ERR_PROXY_TUNNEL") {
    const status = /: HTTP\/1\.[01] (\d{3})/.exec(message)?.[1]
    return status === "407"
      ? needsProxyCredentials
      : `cannot be reached, because the proxy rejects the connection${status === undefined ? "" : ` with ${status}`}`
  }
  if (code === "EPROTO" || code.startsWith("ERR_SSL_")) {
    return tlsReasons.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1] ?? "rejects the TLS handshake"
  }
  if (/^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH)/.test(code)) {
    return "has a certificate that is not trusted"
  }
  if (code.startsWith("HPE_") || code === "HTTPParserError") {
    // A server that expects TLS answers plain HTTP with an alert, a record of type 21 (RFC 8446 §5.1).
    return rawPacket instanceof Uint8Array && rawPacket[0] === 21
      ? "expects TLS on this port. Write https"
      : "does not respond with HTTP on this port"
  }
  if (code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET") {
    return isHttp
      ? "closes the connection without a response. If the server expects TLS, write https"
      : /before secure TLS/.test(message)
      ? "closes the connection during the TLS handshake"
      : "closes the connection without a response"
  }
  return code === "" && message === "bad port" ? "is on a port to which fetch sends no requests" : undefined
}

/**
 * Describes a response that is not that of the server itself, or that shows that the server expects TLS. Returns `undefined`
 * for every other response.
 */
export const describeNoServer = (status: number, body: string, url: URL): string | undefined =>
  status === 407
    ? `${needsProxyCredentials} (407)`
    : status === 400 && url.protocol === "http:" &&
        /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|plain HTTP to an SSL-enabled/.test(
          body
        )
    ? "expects TLS on this port. Write https (400)"
    : undefined
