import type { AuthError } from "../protocol/AuthError.ts"
import type { RejectionReason } from "./Rejection.ts"

/*
 * Names for each reason of a rejection the part that an operator can change: in log lines, in the reports of the command, and on the
 * page of the rejection reasons. The gate loads this file with the first explanation.
 */

/** The advice for each reason of each error. A new reason without advice does not compile. */
export const advice: { readonly [E in AuthError as E["_tag"]]: { readonly [R in E["reason"]]: string } } = {
  MissingCredentials: {
    "no-authorization":
      "Every sign-in begins with such a request. If a client that has signed in causes it, check whether a proxy removes the Authorization header",
    "no-token-header":
      "Check whether the request reached this server without the proxy that signs users in. If every request lacks the header, correct tokenHeader or the proxy",
    "other-scheme": "Let the client send its token with the expected scheme, such as \"Authorization: Bearer …\""
  },
  MalformedRequest: {
    "no-token": "Correct the client: its Authorization header has a scheme but no token",
    "not-token68":
      "Correct the client. If the authorization server issues tokens with other characters, set tokenGrammar to \"visible-ascii\"",
    "several-authorization-headers": "Check which client or proxy adds a second Authorization header, and remove one",
    "several-credentials":
      "Let the client send its API key or its access token, not both. Check whether a proxy adds the Authorization header",
    "api-key-header":
      "Let the client send the key alone: without a scheme, quotes or a placeholder. Check whether a proxy adds a second header with an API key",
    "token-header":
      "Check that the proxy removes the header that a client sends, and that it writes one token without a scheme",
    "host": "Correct the proxy or the client: it sends no valid Host header, which a DPoP proof needs",
    "not-json":
      "Correct the client: the body must be JSON. If a proxy or a middleware changes the body, exclude this path",
    "not-json-rpc":
      "Correct the client: the body must be a JSON-RPC 2.0 message. Check that it speaks MCP to this path",
    "too-deep": "Correct the client: the body may nest at most 64 levels. This limit has no option",
    "prototype": "Normal for attacks. A client whose messages really contain such a member must name it differently",
    "too-many-operations": "Correct the client, or raise maximumOperations if its batches are legitimate",
    "content-type": "Correct the client: it must send Content-Type: application/json",
    "too-large": "Correct the client, or raise maximumBody if its messages are legitimate",
    "name-too-long": "Correct the client: a name or a URI has at most 8192 characters. This limit has no option",
    "name-not-text": "Correct the client: the name or the URI of an operation must be a string",
    "too-slow": "Check the network and the proxy between client and server, or raise bodyTimeout",
    "state":
      "Let the client start the operation again. If every instance rejects the state of the others, set the same requestState.secret on all of them"
  },
  InvalidToken: {
    "too-large":
      "Reduce the claims of the token at the authorization server (often groups or roles), to 16 KiB at most",
    "malformed":
      "If the authorization server issues opaque tokens, set introspection for it. Otherwise check which value the client sends as its access token",
    "algorithm":
      "Let the authorization server sign with one of the expected algorithms, or add the algorithm to its option algorithms",
    "critical-header": "Let the authorization server omit this header: this library supports no critical extension",
    "token-type":
      "Check that the client sends an access token, not a refresh token. If the authorization server marks access tokens in another way, set tokenType or use its profile",
    "id-token":
      "Let the client send its access token. It sends its ID token, which proves nothing to a resource server",
    "api-key-as-token":
      "Let the client send its API key as the option apiKeys states: in the header that it names, or with the scheme ApiKey",
    "unknown-issuer":
      "If this authorization server may issue tokens for this resource, add the received issuer to authorizationServers, character by character: a trailing slash counts",
    "unknown-tenant":
      "Check that the request names a tenant that the function authorizationServers of tenants knows, and that the token belongs to it",
    "tenant":
      "The tenant in the token contradicts its issuer. Check the profile and the tenant of the client at the identity provider",
    "unknown-key":
      "Check that jwks_uri of the metadata (or jwksUri) is the key set of the environment that signed the token. After a rotation, the keys are fetched again when the cooldown ends",
    "signature":
      "Check that the token comes from the same environment as the key set (staging and production can share a kid), and that nothing changes the token on its way",
    "expiry":
      "Let the authorization server write exp as a number of seconds, not milliseconds. A token without an end is not accepted",
    "expired":
      "Let the client refresh its token. If tokens are expired when they are issued, compare the clocks of this server and of the authorization server, or set clockTolerance",
    "not-yet-valid": "Compare the clocks of this server and of the authorization server, or set clockTolerance",
    "issued-in-the-future": "Compare the clocks of this server and of the authorization server, or set clockTolerance",
    "audience":
      "Let the authorization server issue tokens for the expected audience. If it writes another fixed value for this server, set audience: Audience.oneOf([\"…\"]). If resource is not the URL that clients use, correct resource",
    "subject":
      "Let the authorization server name the user in one of the expected claims, or use the profile of the provider",
    "client-id": "Let the authorization server write client_id as a text that is not empty",
    "scope":
      "Let the authorization server write scope as a text, with one space between scopes, or use the profile of the provider",
    "bound-to-key": "The token is bound to a key of the client. Set dpop, or let the client request a Bearer token",
    "not-bound-to-key":
      "Let the client request a token that is bound to its key (DPoP at the token endpoint). If dpop is optional, it may also send the token as Bearer",
    "bound-to-another-key": "Let the client sign its DPoP proof with the key that it used at the token endpoint",
    "claims": "Let the authorization server add these claims in the expected form, or correct the option claims",
    "inactive":
      "The authorization server reports the token as expired, revoked or unknown. Let the client sign in again. If new tokens are inactive, check that introspection is sent to the server that issued them, and that this client may introspect them",
    "revoked": "The token was revoked or invalidated. Let the client sign in again"
  },
  InvalidApiKey: {
    "api-key-malformed": "Let the client send the whole key, as ApiKeys.generate returned it",
    "api-key-unknown":
      "The store has no record of the key, or the secret is wrong. Check that the client uses a current key of this environment",
    "api-key-expired": "Generate a new key for this client",
    "unknown-tenant":
      "With tenants, let ApiKeys.generate write the tenant into the record of the key, and let the client use the URL of that tenant. Without tenants, generate the key without a tenant"
  },
  ApiKeyStoreUnavailable: {
    "api-key-store-down":
      "Check the store of API keys (such as Redis) and the network to it. The authorization server is not involved",
    "api-key-store-slow":
      "Check the load of the store of API keys and the network to it. The authorization server is not involved",
    "api-key-store-busy":
      "At most 100 keys are looked up at a time. Check whether a client sends invented keys, or whether the store is slow",
    "api-key-record": "Correct the record in the store. The error names the member that is wrong"
  },
  InvalidDpopProof: {
    "proof-missing":
      "Correct the client: a token with the scheme DPoP needs a DPoP header. Check whether a proxy removes it",
    "several-proofs": "Correct the client or the proxy: the request has more than one DPoP proof",
    "proof-too-large": "Correct the client: a DPoP proof has at most 8 KiB",
    "proof-malformed": "Correct the client: the DPoP header must be a signed JWT",
    "proof-type": "Correct the client: typ of the proof must be dpop+jwt",
    "proof-algorithm": "Let the client sign its proof with one of the algorithms in the DPoP challenge",
    "proof-critical-header": "Correct the client: this library supports no critical extension in a proof",
    "proof-key": "Correct the client: the proof must contain a public key that fits its algorithm",
    "proof-signature": "Correct the client: the signature of the proof is not made with the key in it",
    "proof-method": "Correct the client: htm of the proof must be the method of the request",
    "proof-url":
      "Let the client write the public URL of the request as htu. If a proxy changes the path, set resource to PublicUrl.make",
    "proof-time":
      "Compare the clocks of the client and of this server. The client must make a new proof for each request",
    "proof-id": "Correct the client: jti of the proof must be a text of 1 to 256 characters",
    "proof-token": "Correct the client: ath of the proof must be the hash of the token that it sends",
    "proof-nonce":
      "Normal once per nonce: the client repeats the request with the nonce of the response. If it does not, correct the client",
    "proof-replayed":
      "Let the client make a new proof for each request, also when it repeats one. A proxy must not repeat requests"
  },
  ReplayStoreUnavailable: {
    "replay-store-down":
      "Check the store of used DPoP proofs (such as Redis) and the network to it. The authorization server is not involved",
    "replay-store-full":
      "Give the store of used DPoP proofs more capacity, or find the client that sends so many proofs",
    "replay-store-clock": "Compare the clocks of this server and of the store of used DPoP proofs"
  },
  RevocationStoreUnavailable: {
    "revocation-store-down":
      "Check the store of revocations (such as Redis) and the network to it. The authorization server is not involved",
    "revocation-store-slow":
      "Check the load of the store of revocations and the network to it. The authorization server is not involved"
  },
  SessionStoreUnavailable: {
    "session-store-down":
      "Check the store of sessions (such as Redis) and the network to it. The authorization server is not involved"
  },
  QuotaExceeded: {
    "quota":
      "Nothing, if the client sends too much: it retries after Retry-After. If it is legitimate, raise this quota in quotas",
    "open-streams":
      "Check whether a client opens streams and does not close them. If one caller needs as many, raise streamsPerCaller"
  },
  QuotaStoreUnavailable: {
    "quota-store-down":
      "Check the limiter of quotas (such as Redis) and the network to it. The authorization server is not involved"
  },
  InsufficientScope: {
    "missing-scope":
      "Normal before step-up authorization. If the same client repeats it, let the authorization server grant the missing scopes, or add them to scopes.baseline for clients that cannot step up",
    "unlisted": "Give the operation scopes, or set unlisted to \"allow\""
  },
  AccessDenied: {
    "denied":
      "Normal for callers without the role, the claim or the check that the policy names. If the caller should have it, check the claim of the token that it comes from, or the data that the check reads"
  },
  AuthorizationServerUnavailable: {
    "timeout":
      "Check the load of the authorization server and the network to it. If connections need a proxy, see NODE_USE_ENV_PROXY in docs/operations.md",
    "server-error":
      "Check the authorization server: it answers with a server error or limits the requests of this server",
    "network":
      "Check the network to the authorization server. If connections need a proxy, see NODE_USE_ENV_PROXY in docs/operations.md",
    "cooling-down":
      "Find the first failure in the lines before this one. Requests are sent again when the cooldown ends",
    "keys-cooling-down":
      "Nothing, if it ends within a minute: new keys are fetched when the cooldown ends. Otherwise compare kid with the key set",
    "overloaded":
      "Check whether a client sends invented tokens or tenants. If all are legitimate, raise inactiveLimit of introspection or newTenants of tenants",
    "client-rejected":
      "Correct the client id and the secret (or the key) of this server in introspection, and its permission to introspect",
    "forbidden":
      "Let the authorization server permit this client to introspect the tokens of this resource. If it does, check whether a firewall or a gateway in front of the introspection endpoint rejects the request",
    "unusable-answer": "Check the URL of the endpoint: its answer is not what the standard describes"
  },
  InvalidMetadata: {
    "status": "Correct the issuer, metadataUrl or jwksUri: the URL does not exist",
    "redirect": "Set metadataUrl (or jwksUri) to the target, if you trust it",
    "content-type":
      "Correct the URL, or let the authorization server send Content-Type: application/json. A login page or a captive portal answers with HTML",
    "too-large": "Correct the URL: the document is larger than metadata or a key set",
    "not-json": "Correct the URL: the document is not JSON",
    "not-metadata": "Correct the issuer or metadataUrl: the document is not metadata of an authorization server",
    "wrong-issuer":
      "Write the issuer in authorizationServers exactly as the metadata names it. A trailing slash counts",
    "missing-member": "Set the missing value as an option of the authorization server, such as jwksUri",
    "insecure-url": "Use https. For a development server, see AuthLayer.allowInsecureHttp",
    "private-address":
      "The host has a private address. If the authorization server runs there on purpose, see AuthLayer.allowPrivateEndpoints",
    "not-a-key-set": "Correct jwks_uri of the metadata, or jwksUri: the document is not a JSON Web Key Set",
    "no-usable-key":
      "Let the authorization server publish a signing key: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519",
    "too-many-keys": "Let the authorization server remove old keys: at most 100 are read"
  },
  AuthConfigError: {
    "missing": "Correct the option that the error names",
    "malformed": "Correct the option that the error names",
    "insecure": "Correct the option that the error names",
    "duplicate": "Correct the option that the error names",
    "conflict": "Correct the option that the error names",
    "not-offered": "Correct the option that the error names"
  }
}

/** The advice for `denied`, if the policy names a role and the caller has none at all. */
export const adviceWithoutRoles =
  "The server found no role in the token of this caller. If the token contains roles, name their claim in the option roles, such as roles: [[\"realm_access\", \"roles\"]], or use the profile of the provider"

/** The advice for `missing-scope`, if the caller has an API key. */
export const adviceForApiKey =
  "Add the missing scopes to the record of this API key, if its owner may have them. A sign-in cannot change the scopes of a key"

/** The advice for the reasons of rejections that no `AuthError` causes. */
export const adviceWithoutError: Readonly<Record<Exclude<RejectionReason, AuthError["reason"] | "preflight">, string>> =
  {
    "foreign-host":
      "Let a proxy forward the Host header of the client. If clients reach this server under that name, add it without the port to allowedHosts, or its URL to PublicUrl.byHost",
    "origin": "If you trust the web page, add its origin to allowedOrigins. For the origin null, see allowNullOrigin",
    "session":
      "Let the client open a new session. If several instances serve the requests, route each session to one instance, or share the sessions with sessionStore",
    "closing": "Nothing: the server shuts down. Let the load balancer stop sending requests before it does",
    "broken": "The cause is a defect in a function of yours or in this library: see the cause in this line"
  }

/** The advice for the codes of failed connections. */
export const adviceOnConnection = (code: string | undefined): string | undefined =>
  code === undefined ? undefined : connections.find(([pattern]) => pattern.test(code))?.[1]

const connections: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    "Renew the certificate of the authorization server, unless the clock of this machine is wrong"
  ],
  [
    /^(CERT_REVOKED|CERT_REJECTED|ERR_SSL_.*CERT_REVOKED)$/,
    "The certificate of the authorization server was revoked. Do not trust it: let the authorization server replace it"
  ],
  [
    /^ERR_SSL_.*(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)$/,
    "The authorization server ends the handshake. Check whether it requires a certificate of its clients"
  ],
  [
    /ALTNAME|^HOSTNAME_MISMATCH$/,
    "Write the host name of the issuer as in its certificate, or correct the certificate"
  ],
  [/^(EPROTO|ERR_SSL_)/, "Check scheme and port of the issuer: its port does not speak TLS as expected"],
  [
    /CERT|SIGNED|SIGNATURE/,
    "Let Node trust the authority that signed the certificate: NODE_EXTRA_CA_CERTS=/path/to/authority.pem. Do not disable the verification"
  ],
  [
    /^ERR_BAD_PORT$/,
    "fetch sends no requests to this port, because other protocols use it. Let the authorization server use another port, such as 443"
  ],
  [
    /^(ENOTFOUND|EAI_)/,
    "Check the host name of the issuer and the DNS of this machine. In a split network, set metadataUrl and jwksUri to names that resolve here"
  ],
  [
    /^(ECONNREFUSED|ConnectionRefused)$/,
    "No process listens at the address. Check that the authorization server runs, and its port. In a container, localhost is the container itself: set metadataUrl and jwksUri to a name of the authorization server that resolves here"
  ]
]
