import * as Effect from "effect/Effect"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import { fetchDocument } from "../../outbound/JsonDocument.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"
import { type ClientError, DiscoveryError, Unavailable } from "../ClientError.ts"
import * as serverDiscovery from "../ServerDiscovery.ts"

/*
 * Finds the authorization server of an MCP server of revision 2025-03-26, which has no metadata of a protected resource. There, the
 * authorization server is the origin of the MCP server, and has default endpoints if it publishes no metadata.
 */

/**
 * Creates the function that discovers an authorization server. It uses the origin of the MCP server only if the MCP server has
 * published no metadata of a protected resource: its challenge names none, and each URL of them answers 404.
 */
export const make: typeof serverDiscovery.make = (
  fetcher,
  discovery,
  resource,
  allowed,
  sources = serverDiscovery.makeSources()
) => {
  const { origin } = resource
  // Issuers are exact texts. An origin has two spellings, so the list of the author decides between them.
  const issuer = allowed === "any" ? origin : allowed.find((each) => each === origin || each === `${origin}/`)

  const findAtOrigin = Effect.fnUntraced(function*(
    error: DiscoveryError
  ): Effect.fn.Return<serverDiscovery.Found, ClientError> {
    if (issuer === undefined) {
      return yield* new DiscoveryError({
        detail: `${error.detail}. The option legacy allows only ${origin}. Add it to allowIssuers if you trust it`,
        trail: error.trail
      })
    }
    const found = { resource: resource.href, issuer, scopesSupported: undefined }
    const [url] = WellKnown.authorizationServerMetadata(new URL(origin))
    const { fetcher: watched, statuses } = watch(fetcher)
    yield* fetchDocument(watched, url!, {
      issuer,
      allowInsecureHttp: false,
      maximumBytes: serverDiscovery.maximumBytes
    }).pipe(
      Effect.catchTag("InvalidMetadata", () => Effect.void),
      Effect.mapError(({ message, retryAfter }) => new Unavailable({ detail: message, retryAfter }))
    )
    if (!areMissing(statuses, 1)) {
      const server = yield* serverDiscovery.fetchServer(discovery, sources.sourceFor(issuer), error.trail)
      return { ...found, server, by: "origin-metadata" }
    }
    const server = {
      issuer,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`
    }
    return { ...found, server, by: "default-endpoints" }
  })

  return (challengeUrl, stored) =>
    Effect.suspend(() => {
      const { fetcher: watched, statuses } = watch(fetcher)
      const discover = serverDiscovery.make(watched, discovery, resource, allowed, sources)
      return Effect.catchTag(discover(challengeUrl, stored), "DiscoveryError", (error) => {
        const hasMetadata = challengeUrl !== undefined || !areMissing(statuses, error.trail.length)
        // A token of another issuer shows that the MCP server had metadata before.
        const hadMetadata = stored !== undefined && stored !== issuer
        return hasMetadata || hadMetadata ? Effect.fail(error) : findAtOrigin(error)
      })
    })
}

/** Keeps the statuses of the responses, because only 404 states that there are no metadata. */
const watch = (fetcher: Fetcher["Service"]) => {
  const statuses: Array<number> = []
  const watched: Fetcher["Service"] = {
    send: (request) => Effect.tap(fetcher.send(request), ({ status }) => Effect.sync(() => void statuses.push(status)))
  }
  return { fetcher: watched, statuses }
}

/** Tells whether each of `count` requests was answered with 404. */
const areMissing = (statuses: ReadonlyArray<number>, count: number): boolean =>
  count > 0 && statuses.length === count && statuses.every((status) => status === 404)
