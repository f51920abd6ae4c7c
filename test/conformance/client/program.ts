/**
 * The client that the official conformance suite tests: the client of SDK v2 with the `fetch` of this library. The suite starts it
 * once for each scenario, with the URL of the MCP server as its argument.
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Redacted, Schema } from "effect"
import { DpopKeys, Grant, McpAuthClient } from "effect-mcp-auth/client"
// oxlint-disable-next-line no-restricted-imports -- the suite supplies the key of the client as PEM
import { createPrivateKey } from "node:crypto"
import { callFirst, flows } from "./flows.ts"
import * as person from "./person.ts"

const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""
const context: unknown = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}")
const resource = process.argv[2]!

const read = <S extends Schema.Codec<unknown, unknown>>(schema: S): S["Type"] =>
  Schema.decodeUnknownSync(schema)(context)

/** The credentials that the suite supplies, as a grant. The suite does not supply the issuer, which runs on a free port. */
const grants: Readonly<Record<string, () => Grant.Grant | Promise<Grant.Grant>>> = {
  "auth/pre-registration": async () => {
    const { client_id, client_secret } = read(
      Schema.Struct({ client_id: Schema.String, client_secret: Schema.String })
    )
    const issuer = await person.issuerOf(resource)
    return person.grant({
      allowIssuers: [{ issuer, clientId: client_id, clientSecret: Redacted.make(client_secret) }]
    })
  },
  "auth/2025-03-26-oauth-metadata-backcompat": () => person.grant({ legacy: true }),
  "auth/2025-03-26-oauth-endpoint-fallback": () =>
    person.grant({ legacy: true, allowIssuers: [{ issuer: new URL(resource).origin, assumeS256: true }] }),
  "auth/client-credentials-jwt": () => {
    const { client_id, private_key_pem } = read(
      Schema.Struct({ client_id: Schema.String, private_key_pem: Schema.String })
    )
    const privateKey = { ...createPrivateKey(private_key_pem).export({ format: "jwk" }), alg: "ES256" }
    return Grant.clientCredentials({
      issuer: Grant.anyIssuer,
      clientId: client_id,
      privateKey: Redacted.make(privateKey)
    })
  },
  "auth/client-credentials-basic": () => {
    const { client_id, client_secret } = read(
      Schema.Struct({ client_id: Schema.String, client_secret: Schema.String })
    )
    return Grant.clientCredentials({
      issuer: Grant.anyIssuer,
      clientId: client_id,
      clientSecret: Redacted.make(client_secret)
    })
  },
  "auth/enterprise-managed-authorization": () => {
    const { client_id, client_secret, idp_client_id, idp_id_token, idp_issuer } = read(Schema.Struct({
      client_id: Schema.String,
      client_secret: Schema.String,
      idp_client_id: Schema.String,
      idp_id_token: Schema.String,
      idp_issuer: Schema.String
    }))
    return Grant.identityAssertion({
      issuer: Grant.anyIssuer,
      clientId: client_id,
      clientSecret: Redacted.make(client_secret),
      identityProvider: { issuer: idp_issuer, clientId: idp_client_id, method: "none" },
      subjectToken: async () => Redacted.make(idp_id_token)
    })
  },
  "auth/wif-jwt-bearer": () => {
    const { client_id, valid_jwt } = read(Schema.Struct({ client_id: Schema.String, valid_jwt: Schema.String }))
    // A workload sends its JWT only to a server that its author names. Here, the audience of the JWT names the server.
    const { aud } = JSON.parse(atob(valid_jwt.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")))
    return Grant.workloadIdentity({
      issuer: aud,
      clientId: client_id,
      assertion: async () => Redacted.make(valid_jwt)
    })
  }
}

const auth = await McpAuthClient.make({
  resource,
  grant: await (grants[scenario] ?? (() => person.grant()))(),
  dpop: scenario.startsWith("auth/dpop") ? DpopKeys.make() : undefined
})
const client = new Client({ name: "effect-mcp-auth", version: "0.1.0" }, {
  capabilities: { elicitation: { form: {} } },
  versionNegotiation: { mode: "auto" }
})
await client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: auth.fetch }))
await (flows[scenario] ?? callFirst)(client, context)
await client.close()
await auth.dispose()
