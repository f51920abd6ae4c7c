import type * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import { type Profile, withTenant } from "../../verification/issuers/Profile.ts"
import { identify } from "../facts/Identify.ts"
import * as Profiles from "../profiles/Profiles.ts"

/**
 * The values that identify an MCP server at its authorization server. A token that names another server is a valid token too,
 * so these values are never taken from the token.
 */
export interface Recipient {
  /** The values of `aud` that mean this server and no other server. Empty: the resource. */
  readonly audiences: ReadonlyArray<string>
  /** The clients whose tokens the server accepts. Empty: the client is not checked. */
  readonly clientIds: ReadonlyArray<string>
}

/** An entry of the option `authorizationServers`, as data from which both its value and its code are made. */
export interface ServerEntry {
  readonly input: AuthorizationServer.Input
  /** The name and the options of the profile in `Profiles`, or `undefined` if the entry is the issuer alone. */
  readonly profile: { readonly name: string; readonly options: Readonly<Record<string, unknown>> } | undefined
  /** Whether the entry contains the audiences and the clients of the recipient. If not, the option `audience` has to. */
  readonly isBound: boolean
}

interface Named {
  /** The URL of the issuer. */
  readonly url: URL
  /** The segments of its path. */
  readonly path: ReadonlyArray<string>
  /** `iss` of the token. */
  readonly tokenIssuer: string
  readonly recipient: Recipient
}

/** A list with at least one entry, or `undefined` for an empty list. */
type Values = readonly [string, ...ReadonlyArray<string>]
const toValues = (list: ReadonlyArray<string>): Values | undefined => list.length === 0 ? undefined : list as Values

/** Creates an option for a list that is not empty, and no option for an empty list. */
const optional = <Name extends string>(name: Name, list: ReadonlyArray<string>): { readonly [N in Name]?: Values } => {
  const values = toValues(list)
  return (values === undefined ? {} : { [name]: values }) as { readonly [N in Name]?: Values }
}

/** The result of a derivation: a profile with the options that created it. */
interface Derived {
  readonly options: Readonly<Record<string, unknown>>
  readonly profile: Profile
  /** The members of the recipient that the options contain. */
  readonly binds: ReadonlyArray<keyof Recipient>
}

const derive = <O extends object>(
  make: (options: O) => Profile,
  options: O,
  ...binds: ReadonlyArray<keyof Recipient>
): Derived => ({ options: options as Readonly<Record<string, unknown>>, profile: make(options), binds })

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The profiles whose options follow from the issuer and the recipient, by their names. A function returns `undefined` if the
 * profile needs an option that neither of them contains.
 */
const profiles: Readonly<Record<string, (named: Named) => Derived | undefined>> = {
  adfs: ({ recipient: { audiences }, tokenIssuer, url }) =>
    derive(Profiles.adfs, {
      issuer: `https://${url.host}/adfs`,
      accessTokenIssuer: trustOf(tokenIssuer)?.host === url.host
        ? tokenIssuer
        : `http://${url.host}/adfs/services/trust`,
      ...optional("audience", audiences)
    }, "audiences"),
  auth0: ({ recipient: { audiences }, url }) =>
    derive(Profiles.auth0, { domain: url.host, ...optional("audience", audiences) }, "audiences"),
  // The audience of authentik is the client.
  authentik: ({ path, recipient: { audiences, clientIds }, url }) => {
    const [clientId, other] = new Set([...audiences, ...clientIds])
    return clientId === undefined || other !== undefined
      ? undefined
      : derive(Profiles.authentik, { url: url.origin, slug: path.at(-1)!, clientId }, "audiences", "clientIds")
  },
  authkit: ({ recipient: { audiences }, url }) =>
    derive(Profiles.authkit, { domain: url.host, ...optional("audience", audiences) }, "audiences"),
  clerk: ({ recipient, url }) => {
    const clientIds = toValues(recipient.clientIds)
    return clientIds && derive(Profiles.clerk, { frontendApi: url.host, clientIds }, "clientIds")
  },
  cognito: ({ path, recipient, url }) => {
    const clientIds = toValues(recipient.clientIds)
    const [, region = ""] = url.host.split(".")
    return clientIds && derive(
      Profiles.cognito,
      {
        region,
        userPoolId: path[0]!,
        clientIds,
        ...optional("audience", recipient.audiences)
      },
      "audiences",
      "clientIds"
    )
  },
  descope: ({ path, recipient }) => {
    const audience = toValues(recipient.audiences)
    return audience && derive(Profiles.descope, { projectId: path.at(-1)!, audience }, "audiences")
  },
  entra: ({ path, recipient: { audiences } }) => {
    const ids = audiences.map((_) => _.replace(/^api:\/\//, "")).filter((_) => guid.test(_))
    const uris = audiences.filter((_) => !ids.includes(_.replace(/^api:\/\//, "")))
    const [applicationId, otherId] = new Set(ids)
    const [applicationIdUri, otherUri] = uris
    return applicationId === undefined || otherId !== undefined || otherUri !== undefined
      ? undefined
      : derive(Profiles.entra, {
        tenant: path[0]!,
        applicationId,
        ...(applicationIdUri === undefined ? {} : { applicationIdUri })
      }, "audiences")
  },
  keycloak: ({ path, recipient: { audiences }, url }) =>
    derive(Profiles.keycloak, {
      url: [url.origin, ...path.slice(0, -2)].join("/"),
      realm: path.at(-1)!,
      ...optional("audience", audiences)
    }, "audiences"),
  logto: ({ recipient: { audiences }, url }) =>
    derive(Profiles.logto, { endpoint: url.origin, ...optional("audience", audiences) }, "audiences"),
  okta: ({ path, recipient: { audiences }, url }) =>
    derive(Profiles.okta, { domain: url.host, server: path.at(-1)!, ...optional("audience", audiences) }, "audiences"),
  pingone: ({ path, recipient: { audiences }, url }) =>
    derive(Profiles.pingone, {
      environmentId: path[0]!,
      region: url.host.replace(/^auth\.pingone\./, ""),
      ...optional("audience", audiences)
    }, "audiences"),
  supabase: ({ recipient, url }) => {
    const audience = toValues(recipient.audiences)
    const clientIds = toValues(recipient.clientIds)
    return audience !== undefined && clientIds === undefined
      ? derive(Profiles.supabase, { url: url.origin, audience }, "audiences")
      : clientIds !== undefined && audience === undefined
      ? derive(Profiles.supabase, { url: url.origin, clientIds }, "clientIds")
      : undefined
  },
  zitadel: ({ recipient: { audiences: [projectId, ...others] }, url }) =>
    projectId === undefined || others.length > 0
      ? undefined
      : derive(Profiles.zitadel, { url: url.origin, projectId }, "audiences")
}

/** Parses the `iss` of access tokens of AD FS, which differs from the issuer in its metadata. */
const trustOf = (issuer: string): URL | undefined => {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  return url !== undefined && /^\/adfs\/services\/trust\/?$/i.test(url.pathname) ? url : undefined
}

/**
 * Returns the entry for an issuer: its profile if the issuer belongs to a known provider and the options of the profile are
 * known, or else the issuer. `issuer` is the issuer in the metadata. Default: the one that `tokenIssuer` (`iss` of a token)
 * implies.
 */
export const serverEntryFor = (
  issuer: string | undefined,
  tokenIssuer: string,
  recipient: Recipient
): ServerEntry => {
  const trust = trustOf(issuer ?? tokenIssuer)
  const named = trust === undefined ? issuer ?? tokenIssuer : `https://${trust.host}/adfs`
  const name = URL.canParse(named) ? identify(named)?.profile ?? undefined : undefined
  const isBound = recipient.audiences.length === 0 && recipient.clientIds.length === 0
  const alone: ServerEntry = { input: named, profile: undefined, isBound }
  if (name === undefined || !Object.hasOwn(profiles, name)) return alone
  const url = new URL(named)
  const path = url.pathname.split("/").filter((_) => _ !== "")
  const derived = profiles[name]!({ url, path, tokenIssuer, recipient })
  if (derived === undefined || derived.profile.issues.length > 0) return alone
  // The derivation must return to the issuer. Otherwise it has misread the URL.
  const { issuer: derivedIssuer, tenants } = derived.profile
  const isSame = derivedIssuer === named ||
    tenants?.issuers.some((template) => withTenant(template, path[0]!) === named) === true
  if (!isSame) return alone
  const members: ReadonlyArray<keyof Recipient> = ["audiences", "clientIds"]
  return {
    input: derived.profile,
    profile: { name, options: derived.options },
    isBound: members.every((member) => recipient[member].length === 0 || derived.binds.includes(member))
  }
}
