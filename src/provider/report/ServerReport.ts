/**
 * Creates reports about servers of which nothing can be checked: the server does not respond, or it is neither an authorization
 * server nor an MCP server.
 *
 * @since 0.1.0
 */
import * as Report from "./Report.ts"
import { fail, inconclusive, type Rule } from "./Rule.ts"

/**
 * @category rules
 * @since 0.1.0
 */
export const responds: Rule = {
  id: "server-responds",
  title: "The server responds",
  level: "MUST",
  derived: true,
  standard: "RFC 9110 §3.4",
  sentence:
    "A server responds to the client's request by sending one or more \"response\" messages, each including a status code",
  change: "Start the server, or correct its URL"
}

/**
 * @category rules
 * @since 0.1.0
 */
export const hasKind: Rule = {
  id: "server-kind",
  title: "The URL is that of an authorization server or an MCP server",
  level: "MUST",
  derived: true,
  standard: "MCP authorization, authorization server location",
  sentence:
    "MCP servers MUST implement the OAuth 2.0 Protected Resource Metadata (RFC9728) specification to indicate the locations of authorization servers.",
  change:
    "Write the URL of the MCP endpoint, such as https://todos.example.com/mcp, or the issuer of the authorization server"
}

/**
 * The subject of a report.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject extends Pick<Report.Options, "revision" | "now"> {
  readonly url: string
}

/**
 * Creates the inconclusive report about a server that does not respond. `detail` is the second part of a sentence that begins
 * with the URL.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromNoResponse = ({ url, ...rest }: Subject, kind: Report.Report["kind"], detail: string): Report.Report =>
  Report.make({ ...rest, kind, subject: url, results: [inconclusive(responds, detail)] })

/**
 * Creates the report about a URL that is neither an authorization server nor an MCP server, which fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromNeither = ({ url, ...rest }: Subject, detail: string): Report.Report =>
  Report.make({ ...rest, kind: "server", subject: url, results: [fail(hasKind, detail)] })
