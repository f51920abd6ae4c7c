import * as ResourceIdentifier from "../../protocol/ResourceIdentifier.ts"
import { type Forgeries, issueWith } from "./forge.ts"

/** Tokens for another audience (RFC 9068 §4, RFC 8707). */
export const audienceForgeries = {
  "audience-other": {
    title: "issued for another server",
    reason: "audience",
    forge: issueWith(() => ({ claims: { aud: "https://other.test/mcp" } }))
  },
  "audience-missing": {
    title: "no audience",
    reason: "audience",
    forge: issueWith(() => ({ claims: { aud: undefined } }))
  },
  "audience-empty": {
    title: "an empty audience",
    reason: "audience",
    forge: issueWith(() => ({ claims: { aud: [] } }))
  },
  "audience-client": {
    title: "issued for its client, as an ID token is",
    reason: "audience",
    forge: issueWith(({ claims }) => ({ claims: { aud: claims["client_id"] } }))
  },
  "audience-longer": {
    title: "an audience that starts with the resource",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: `${resource}.evil.test` } }))
  },
  "audience-shorter": {
    title: "an audience that is a prefix of the resource",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: ResourceIdentifier.spellings(resource)[0]!.slice(0, -1) } }))
  },
  "audience-slash": {
    title: "a slash after the resource",
    reason: "audience",
    // Without a path, one slash makes no difference.
    forge: issueWith(({ resource }) => ({ claims: { aud: `${ResourceIdentifier.spellings(resource).at(-1)}/` } }))
  },
  "audience-upper-case": {
    title: "the resource in capital letters",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: resource.toUpperCase() } }))
  },
  "audience-space": {
    title: "a space after the resource",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: `${resource} ` } }))
  },
  "audience-zero-width": {
    title: "an invisible character after the resource",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: `${resource}\u200b` } }))
  },
  "audience-percent": {
    title: "the resource with a letter of its path percent-encoded",
    reason: "audience",
    forge: issueWith(({ resource }) => ({
      claims: { aud: resource.slice(0, -1) + `%${resource.charCodeAt(resource.length - 1).toString(16)}` }
    }))
  },
  "audience-origin": {
    title: "the origin of the resource, or a path on it if the resource has none",
    reason: "audience",
    forge: issueWith(({ resource }) => {
      const { origin } = new URL(resource)
      return { claims: { aud: ResourceIdentifier.isSame(origin, resource) ? `${origin}/mcp` : origin } }
    })
  },
  "audience-object": {
    title: "an object that resembles a list",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: { 0: resource, length: 1, includes: 1 } } }))
  },
  "audience-not-strings": {
    title: "a list with the resource and an object",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: [resource, {}] } }))
  },
  "audience-nested": {
    title: "a list within a list",
    reason: "audience",
    forge: issueWith(({ resource }) => ({ claims: { aud: [[resource]] } }))
  }
} as const satisfies Forgeries
