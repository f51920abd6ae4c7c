/**
 * Every reason of a rejection, with its meaning and its typical cause. The types require an entry for each reason, so a new reason
 * without one does not compile. `run.ts` writes the page from this file and from the advice in the log lines.
 */
import type { RejectionReason } from "../../src/authorization/Rejection.ts"
import type { AuthError } from "../../src/protocol/AuthError.ts"

export interface Entry {
  readonly meaning: string
  readonly cause: string
}

type Entries<R extends string> = { readonly [Reason in R]: Entry }

/** The reasons that belong to no error. */
type OtherReason = Exclude<RejectionReason, AuthError["reason"]>

type All = { readonly [E in AuthError as E["_tag"]]: Entries<E["reason"]> } & {
  readonly Rejection: Entries<OtherReason>
}

const entry = (meaning: string, cause: string): Entry => ({ meaning, cause })

export const reasons: All = {
  MissingCredentials: {
    "no-authorization": entry(
      "The request has no `Authorization` header.",
      "The first request of a client that has not signed in yet. A reverse proxy can also remove the header."
    ),
    "no-token-header": entry(
      "The request lacks the header that `tokenHeader` names.",
      "The request reached the server without the proxy that signs users in."
    ),
    "other-scheme": entry(
      "The `Authorization` header has a scheme that the server does not accept.",
      "The client sends `Basic` or an API key, or sends `Bearer` to a server that requires DPoP."
    )
  },
  MalformedRequest: {
    "no-token": entry(
      "The header has a scheme and no token.",
      "The client sends an empty variable as its token."
    ),
    "not-token68": entry(
      "The token contains characters that RFC 6750 does not allow, or the header has several tokens.",
      "The client quotes the token, appends a line break, or sends it twice."
    ),
    "several-authorization-headers": entry(
      "The request has more than one `Authorization` header.",
      "A proxy or a middleware adds a second header instead of replacing the first."
    ),
    "several-credentials": entry(
      "The request has an API key in its header and an access token.",
      "The client has both, or a proxy adds the `Authorization` header."
    ),
    "api-key-header": entry(
      "The header with the API key has several values, or characters that no key contains.",
      "The client adds a scheme, quotes or a placeholder, or a proxy adds a second header."
    ),
    "token-header": entry(
      "The header that `tokenHeader` names has several values, or a value that is not a token.",
      "The proxy adds its header to that of the client instead of replacing it."
    ),
    "host": entry(
      "The `Host` header is missing or is not a host name, and a DPoP proof cannot be compared with the URL.",
      "A client or a proxy sends an invalid `Host`."
    ),
    "not-json": entry(
      "The body is not JSON.",
      "The client sends another format, or a proxy cuts the body off."
    ),
    "not-json-rpc": entry(
      "The body is not a JSON-RPC 2.0 message or a batch of such messages.",
      "The client sends another protocol, or an empty batch."
    ),
    "too-deep": entry(
      "The body nests objects and lists too deeply.",
      "An attack, or an argument with a very deep structure."
    ),
    "prototype": entry(
      "An object in the body has a member named `__proto__`.",
      "An attack: a server that copies the object would read other names and arguments than the gate."
    ),
    "too-many-operations": entry(
      "The batch has more operations than the server accepts.",
      "A client with large batches, or an attack."
    ),
    "content-type": entry(
      "The content type of the body is not `application/json`.",
      "The client sets no content type, or a form is sent."
    ),
    "too-large": entry(
      "The body is larger than the server accepts.",
      "A large argument, such as a file."
    ),
    "name-too-long": entry(
      "The name, URI or id of a tool, prompt, resource or task has more than 8192 characters.",
      "An attack, or data in a name."
    ),
    "name-not-text": entry(
      "The name, the URI or the task id of an operation is not a string.",
      "An error in the client."
    ),
    "too-slow": entry(
      "The body did not arrive in time.",
      "A slow connection, a stalled proxy, or an attack."
    ),
    "state": entry(
      "The request state has expired, or was not issued to this caller for this operation.",
      "The client waited too long, or sends the state of another session."
    )
  },
  InvalidToken: {
    "too-large": entry(
      "The token has more than 16,384 characters.",
      "The provider writes many groups or roles into the token."
    ),
    "malformed": entry(
      "The token is not a JWT, or its encoding is invalid, and no introspection is configured.",
      "The provider issued an opaque token, usually because the client requested no resource."
    ),
    "algorithm": entry(
      "The token has a signature algorithm that the server does not accept.",
      "The provider signs with a shared secret (HS256), or the token is not signed."
    ),
    "critical-header": entry(
      "The header of the token has `crit`, `zip`, `b64` or another parameter that changes how it must be verified.",
      "A token of an unusual library, or an attack."
    ),
    "token-type": entry(
      "The JWT is not marked as an access token, or the provider issues no JWTs as access tokens.",
      "The client sends a refresh token or another token. At a provider whose tokens lack a mark, the profile is missing."
    ),
    "id-token": entry(
      "The JWT is marked as an ID token or a logout token.",
      "The client sends the `id_token` of the token response."
    ),
    "api-key-as-token": entry(
      "The token has the form of an API key. It is sent to no authorization server.",
      "The client sends its API key with the scheme `Bearer`."
    ),
    "unknown-issuer": entry(
      "The claim `iss` is not exactly one of the configured issuers.",
      "A final slash, another path, another host name, or a token of another authorization server."
    ),
    "unknown-tenant": entry(
      "The request belongs to no known tenant, or its tenant has no authorization server.",
      "A wrong URL, or a tenant that was not created yet."
    ),
    "tenant": entry(
      "The tenant claim of the token does not match the tenant in `iss`.",
      "A token of another tenant, or a forged token."
    ),
    "unknown-key": entry(
      "The key set of the issuer has no key with the `kid` and the algorithm of the token.",
      "A token of another environment, or a signing key that the provider withdrew."
    ),
    "signature": entry(
      "No key of the issuer verifies the signature.",
      "A changed or forged token, or a provider that uses one `kid` for several keys."
    ),
    "expiry": entry(
      "The claim `exp` is missing, is not a number, or is in milliseconds.",
      "The provider issues tokens without an expiry, or its introspection response has no `exp`."
    ),
    "expired": entry(
      "The token has expired.",
      "The normal end of a token."
    ),
    "not-yet-valid": entry(
      "The claim `nbf` is in the future, or is not a number.",
      "The clock of the server is behind the clock of the provider."
    ),
    "issued-in-the-future": entry(
      "The claim `iat` is in the future, or is not a number.",
      "The clock of the server is behind the clock of the provider."
    ),
    "audience": entry(
      "The token was issued for another resource, or names no audience.",
      "The client requested no resource, or the provider ignores the parameter and has another audience configured."
    ),
    "subject": entry(
      "The token does not identify a user, and is not marked as a token that a program requested for itself.",
      "The subject is in another claim, or the token belongs to a program without a user."
    ),
    "client-id": entry(
      "The claim with the client id is not a string, or is empty.",
      "The provider writes another value into `client_id` or `azp`."
    ),
    "scope": entry(
      "The claim with the scopes is neither text nor a list of texts, or contains a control character.",
      "The provider writes an object or numbers into the claim."
    ),
    "bound-to-key": entry(
      "The token is bound to a key, and the request does not use DPoP.",
      "The client requested a DPoP token and sends it as `Bearer`, or the binding is a certificate."
    ),
    "not-bound-to-key": entry(
      "The request uses DPoP, and the token is not bound to a key.",
      "The authorization server ignored the proof in the token request."
    ),
    "bound-to-another-key": entry(
      "The token is bound to another key than that of the proof.",
      "The client created a new key after it got the token, or the token was stolen."
    ),
    "claims": entry(
      "The claims do not match the schema of the option `claims`.",
      "The provider does not issue a claim that your code requires."
    ),
    "inactive": entry(
      "The authorization server reports the token as inactive.",
      "The token was revoked, has expired, or belongs to another client that yours may not introspect."
    ),
    "revoked": entry(
      "The token, its subject, its session or its client was revoked at your server.",
      "Your code called `revoke`."
    )
  },
  InvalidApiKey: {
    "api-key-malformed": entry(
      "The key does not have the form of an API key.",
      "The client sends a part of the key, or a key of another service."
    ),
    "api-key-unknown": entry(
      "The store has no record of the key, or the secret of the key is wrong.",
      "The key was revoked, or belongs to another environment."
    ),
    "api-key-expired": entry(
      "The key is expired.",
      "The time `expiresAt` of its record has passed."
    ),
    "unknown-tenant": entry(
      "The key belongs to another tenant than the request names, to a tenant that does not exist, or to none.",
      "A client uses the URL of another tenant, or the record of the key has no `tenant`."
    )
  },
  ApiKeyStoreUnavailable: {
    "api-key-store-down": entry(
      "The store of API keys fails.",
      "An outage of the store, such as Redis. The authorization server is not involved."
    ),
    "api-key-store-slow": entry(
      "The store of API keys does not answer in time.",
      "The store is overloaded, or the network is slow."
    ),
    "api-key-store-busy": entry(
      "Too many API keys are looked up at the same time.",
      "A client sends invented keys, or the store is slow."
    ),
    "api-key-record": entry(
      "The store returned a value that is not a record of the key.",
      "A member is missing or has another form, such as a time in milliseconds, or the record belongs to another identifier."
    )
  },
  InvalidDpopProof: {
    "proof-missing": entry(
      "The request has no `DPoP` header.",
      "The client sends a DPoP token without a proof, or a proxy removes the header."
    ),
    "several-proofs": entry("The request has more than one proof.", "A retry that adds a second header."),
    "proof-too-large": entry("The proof is too long.", "An attack, or a key with extra members."),
    "proof-malformed": entry("The proof is not a JWT.", "An error in the client."),
    "proof-type": entry("The `typ` of the proof is not `dpop+jwt`.", "The client sends another JWT."),
    "proof-algorithm": entry(
      "The server does not accept the algorithm of the proof.",
      "The client chose an algorithm that is not in `dpop_signing_alg_values_supported`."
    ),
    "proof-critical-header": entry(
      "The header of the proof has a parameter that changes how it must be verified.",
      "An unusual library, or an attack."
    ),
    "proof-key": entry(
      "The key in the proof is missing, private, symmetric or too weak.",
      "The client exports its private key into the header."
    ),
    "proof-signature": entry(
      "The key in the proof does not verify its signature.",
      "An error in the client."
    ),
    "proof-method": entry("The claim `htm` is not the method of the request.", "The client reuses a proof."),
    "proof-url": entry(
      "The claim `htu` is not the URL of the request.",
      "A reverse proxy changes the host or the path, and the resource identifier names another URL."
    ),
    "proof-time": entry(
      "The proof is too old or from the future.",
      "The clocks of client and server differ."
    ),
    "proof-id": entry("The claim `jti` is missing, empty or too long.", "An error in the client."),
    "proof-token": entry(
      "The claim `ath` is not the hash of the access token.",
      "The client made the proof for another token."
    ),
    "proof-nonce": entry(
      "The proof lacks a valid nonce of this server.",
      "The first request of a client to a server that requires a nonce."
    ),
    "proof-replayed": entry(
      "The proof was used before.",
      "The client or a proxy repeated the request, or an attacker replayed it."
    )
  },
  ReplayStoreUnavailable: {
    "replay-store-down": entry(
      "The store of used proofs fails or does not answer.",
      "An outage of the store."
    ),
    "replay-store-full": entry(
      "The store of used proofs is full.",
      "More requests than the capacity allows, or an attack."
    ),
    "replay-store-clock": entry(
      "The store has evicted entries as old as this proof.",
      "The clock of the server or the store stepped back."
    )
  },
  RevocationStoreUnavailable: {
    "revocation-store-down": entry(
      "The store of revocations fails.",
      "An outage of the store, such as Redis. The authorization server is not involved."
    ),
    "revocation-store-slow": entry(
      "The store or the function of the option `revocation` does not answer in time.",
      "The store or the network to it is overloaded. The authorization server is not involved."
    )
  },
  SessionStoreUnavailable: {
    "session-store-down": entry(
      "The store of the option `sessionStore` fails or does not answer.",
      "An outage of the store, such as Redis. The authorization server is not involved."
    )
  },
  QuotaExceeded: {
    "quota": entry(
      "The caller has used up one of its quotas (option `quotas`). The log names the quota.",
      "A client that repeats requests in a loop, or a quota that is too small."
    ),
    "open-streams": entry(
      "The caller has as many open event streams as it may have (option `streamsPerCaller`).",
      "A client that opens streams and does not close them, or many clients of one caller."
    )
  },
  QuotaStoreUnavailable: {
    "quota-store-down": entry(
      "The limiter of the option `quotas` fails or does not answer, and `whenUnavailable` is `\"reject\"`.",
      "An outage of the store of the limiter, such as Redis. The authorization server is not involved."
    )
  },
  InsufficientScope: {
    "missing-scope": entry(
      "The token is valid and lacks a scope that the operation requires.",
      "The user granted fewer scopes, or the client requested fewer."
    ),
    "unlisted": entry(
      "The operation has no policy, and the server rejects such operations.",
      "The tool is not registered, or was registered without scopes under `unlisted: \"deny\"`."
    )
  },
  AccessDenied: {
    "denied": entry(
      "The policy of the operation does not admit the caller, and no scope would help.",
      "The caller lacks a role or a claim, a check of the policy fails, or the operation has `unauthorized: \"deny\"`."
    )
  },
  AuthorizationServerUnavailable: {
    "timeout": entry(
      "The authorization server did not answer in time.",
      "An outage, a firewall, or a slow network."
    ),
    "server-error": entry(
      "The authorization server answered with 429 or 5xx.",
      "An outage, or a rate limit of the provider."
    ),
    "network": entry(
      "The connection to the authorization server failed.",
      "DNS, TLS, a firewall or a proxy."
    ),
    "cooling-down": entry(
      "Earlier requests failed, and no request is sent before the cooldown ends.",
      "An outage that the log shows before this line."
    ),
    "keys-cooling-down": entry(
      "The key of the token is unknown, and the keys were fetched recently.",
      "A key rotation seconds ago, or tokens with invented key ids."
    ),
    "overloaded": entry(
      "Too many requests to the authorization server wait, or too many unknown tokens or tenants were looked up.",
      "Invented tokens, or many new tokens at once."
    ),
    "client-rejected": entry(
      "The authorization server rejected the credentials of this server.",
      "A wrong or expired client secret at the introspection endpoint."
    ),
    "forbidden": entry(
      "The introspection endpoint answered 403 without an OAuth error.",
      "This client may not introspect the token, or a firewall in front of the endpoint rejects the request."
    ),
    "unusable-answer": entry(
      "The response of the authorization server cannot be used.",
      "The endpoint is not an introspection endpoint, or answers with HTML or a redirect."
    )
  },
  InvalidMetadata: {
    "status": entry(
      "A document of the authorization server has a status other than 200.",
      "The issuer has no metadata at the well-known URLs."
    ),
    "redirect": entry(
      "A document redirects. The server follows no redirects.",
      "The issuer or the URL differs from the real one by a slash or a host name."
    ),
    "content-type": entry(
      "A document is not served as JSON.",
      "The URL belongs to a web page."
    ),
    "too-large": entry("A document is larger than 1 MiB.", "The URL belongs to another file."),
    "not-json": entry("A document is not JSON.", "The URL belongs to a web page."),
    "not-metadata": entry(
      "The document is not authorization server metadata.",
      "The URL belongs to another API."
    ),
    "wrong-issuer": entry(
      "The metadata name another issuer than the configured one (RFC 8414 §3.3).",
      "A final slash, another host name, or a template such as `{tenantid}`."
    ),
    "missing-member": entry(
      "The metadata lack a member that the server needs, such as `jwks_uri`.",
      "The provider issues opaque tokens, or has no introspection endpoint."
    ),
    "insecure-url": entry(
      "A URL is not https.",
      "The authorization server does not know its public URL behind a proxy."
    ),
    "private-address": entry(
      "The metadata of a public issuer name an endpoint on a loopback or private address.",
      "The provider serves its keys inside the network, or an attack."
    ),
    "not-a-key-set": entry(
      "The document at `jwks_uri` is not a key set.",
      "The URL belongs to another document."
    ),
    "no-usable-key": entry(
      "The key set has no key that can verify a token.",
      "All keys are too short, symmetric, or for encryption."
    ),
    "too-many-keys": entry(
      "The key set has more keys than the server accepts.",
      "The provider never withdraws keys."
    )
  },
  AuthConfigError: {
    "missing": entry(
      "A required option is missing.",
      "An environment variable is not set."
    ),
    "malformed": entry(
      "The value of an option is invalid.",
      "A misspelled name or a wrong type."
    ),
    "insecure": entry(
      "The value of an option would make the server insecure.",
      "An http URL, a weak key, or a claim that several people share."
    ),
    "duplicate": entry("A value occurs twice.", "Two entries with one name."),
    "conflict": entry("Two options contradict each other.", "Both were set."),
    "not-offered": entry(
      "An operation requires a scope that the server does not offer.",
      "A misspelled scope, or a scope that is missing in `scopes`."
    )
  },
  Rejection: {
    "foreign-host": entry(
      "The `Host` of a request is not one of the names of the server. Servers on loopback, with http, with `allowedHosts` or with " +
        "`PublicUrl.byHost` check it.",
      "DNS rebinding, a tunnel with a public name, or a proxy that does not forward the `Host` of the client."
    ),
    "origin": entry(
      "The `Origin` of the request is not allowed.",
      "A browser client whose origin is not configured."
    ),
    "session": entry(
      "The session does not exist, or belongs to another caller.",
      "The server was restarted, the session has ended, or the client signed in as another user."
    ),
    "closing": entry("The server shuts down.", "A deployment."),
    "broken": entry(
      "The code behind the gate failed with an unexpected error.",
      "An error in a handler or in an option that is a function."
    ),
    "preflight": entry(
      "The gate answered a preflight of an allowed origin.",
      "A browser client. Nothing was rejected."
    )
  }
}
