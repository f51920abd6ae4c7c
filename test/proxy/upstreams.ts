/** The upstreams at which people sign in through a proxy in tests. */
import { Redacted } from "effect"
import type { TestUpstream } from "effect-mcp-auth/testing"
import * as Admit from "../../src/proxy/Admit.ts"
import * as Upstream from "../../src/proxy/upstream/Upstream.ts"

/** The forms of the upstream at which people sign in. */
export type UpstreamForm = "github" | "google" | "entra"

/** The scope of each provider that allows writing. */
export const writingScopes: Readonly<Record<UpstreamForm, string>> = {
  github: "repo",
  google: "https://www.googleapis.com/auth/drive.file",
  entra: "Notes.ReadWrite"
}

/** The client that a proxy has at its upstream, and where the upstream is. */
export type UpstreamClient = Pick<
  TestUpstream.TestUpstream["Service"],
  "clientId" | "clientSecret" | "origin" | "tenant"
>

/** Returns an upstream in the form of the provider, with the MCP scopes that read and those that write. */
export const upstreamOf = <const Read extends string, const Write extends string>(
  form: UpstreamForm,
  { clientId, clientSecret, origin, tenant }: UpstreamClient,
  { reads, writes }: { readonly reads: ReadonlyArray<Read>; readonly writes: ReadonlyArray<Write> }
) => {
  const scopes = Object.fromEntries([
    ...reads.map((scope) => [scope, []]),
    ...writes.map((scope) => [scope, [writingScopes[form]]])
  ]) as Readonly<Record<Read | Write, ReadonlyArray<string>>>
  const client = { clientId, clientSecret: Redacted.make(clientSecret), scopes }
  switch (form) {
    case "github":
      return Upstream.github({ ...client, server: origin })
    case "google":
      return Upstream.google({ ...client, issuer: origin })
    case "entra":
      return Upstream.entra({ ...client, authority: origin, tenant })
  }
}

/** The rule that admits `alice` and not `mallory`, by what each provider says about them. */
export const admits = {
  github: Admit.githubOrganization("acme", { id: 9919 }),
  google: Admit.hostedDomain("acme.test"),
  entra: Admit.tenantMembers
} as const
