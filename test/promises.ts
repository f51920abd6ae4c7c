/**
 * The keys are the sentences of SECURITY.md that make promises. Each value lists the tests that prove the sentence. A test is
 * given by an id in its title (see threats.json and cases.json), or by another part of its title.
 */
export const promises: Readonly<Record<string, ReadonlyArray<string>>> = {
  "An MCP handler behind `protect`, `createMcpHandler`, `protectFetch` or `McpAuth.layerHttp` runs only if the token was signed by a configured authorization server or confirmed by its introspection endpoint.":
    ["T-CLAIM-04", "T-INTR-01", "JWT-32", "HDR-18"],
  "The token must be addressed to this resource.": ["T-CLAIM-03", "T-CLAIM-07"],
  "The token must be valid in time, both when the request arrives and when its body is complete.": [
    "T-CLAIM-02",
    "T-AUD-07a",
    "T-AUD-07d"
  ],
  "The token must be an access token: ID tokens, refresh tokens and logout tokens are rejected.": [
    "T-CLAIM-05",
    "T-AUD-51"
  ],
  "The token must grant every scope that the operations of the request require, in the body that the server executes.":
    ["T-MCP-13", "T-MCP-02", "SCOPE-07"],
  "If a part of the gate or a function of yours fails (a verifier, a policy, a listener, a schema of claims), the request is rejected.":
    ["T-MCP-14", "T-AUD-22a", "T-AUD-22b", "SCOPE-12"],
  "A request has one credential: an API key beside a token, and two of either, are rejected.": [
    "T-APIKEY-04",
    "HDR-12"
  ],
  "With `tokenHeader`, a token in that header is verified like any other, and `Authorization` is ignored.": [
    "T-APIKEY-08",
    "T-APIKEY-09"
  ],
  "A request without credentials reaches a handler only if you set `anonymous: \"allow-unscoped\"`, and then only operations without scopes.":
    ["HDR-18", "HDR-19"],
  "With `authChallenge: \"tool-result\"`, no handler runs for a tool call that is rejected, and the decision is the same as with a status of HTTP.":
    ["T-LAZY-01", "T-LAZY-03"],
  "No handler runs for a preflight: the gate answers it, or the function that you give as `preflight`.": [
    "T-AUD-02a",
    "T-AUD-02b"
  ],
  "The body of a request is checked for every method, and must be JSON-RPC 2.0 without further members.": [
    "T-AUD-04a",
    "T-AUD-04b",
    "T-AUD-04c",
    "T-AUD-04d"
  ],
  "A body with a member named `__proto__` is rejected, so the gate and the server read the same names and arguments.": [
    "T-POL-11"
  ],
  "Options that do not exist, and misspelled scopes of a route or a tool, are configuration errors.": [
    "T-AUD-41",
    "T-AUD-42"
  ],
  "Under `unlisted: \"deny\"`, a tool, prompt or resource without scopes, and one that is not registered, is rejected.":
    ["T-AUD-05c", "T-MCP-05"],
  "If an operation has a policy, its handler runs only if the policy admits the caller, with the arguments that the handler receives.":
    ["T-POL-02", "T-POL-08"],
  "A check that throws, rejects or dies, and a result other than `true`, never admits a call.": ["T-POL-03"],
  "A check that does not finish within 30 seconds, or is interrupted, counts as one that dies.": ["T-POL-03"],
  "A check of a call runs once for each call, and the next request is decided again.": ["T-POL-08", "T-POL-09"],
  "Two conditions are never taken for the same one because they share a function or a name, unless both are the same role.":
    ["T-POL-01"],
  "A 403 does not name the role, the claim or the check that failed, and no data that a check read.": ["T-POL-05"],
  "A hidden operation is answered like one that does not exist, also while its checks fail.": ["T-POL-04"],
  "With `structuredDenials`, no handler runs for a tool call that is denied, and its envelope says nothing that the 403 or the challenge does not say.":
    ["T-DENY-01", "T-DENY-04"],
  "With `structuredDenials`, the answers for hidden operations do not change.": ["T-DENY-03"],
  "Roles come only from the claims that a profile or the option `roles` names.": ["T-POL-07"],
  "A policy that admits anonymous callers cannot be combined with another one.": ["T-POL-06"],
  "A batch runs only if the policies of all of its operations admit the caller.": ["T-POL-10", "SCOPE-10"],
  "Algorithms and keys come from the configuration, never from the token: RS, PS, ES and EdDSA, no `none`, no HMAC, no key in a header, no key at an address that a header names.":
    ["T-JOSE-01", "T-JOSE-02", "T-JOSE-04", "T-JOSE-05"],
  "Unfit keys of a key set are skipped: RSA below 2048 bits, private and symmetric keys, keys for encryption.": [
    "T-KEYS-01"
  ],
  "Logs, spans, metrics, decisions, errors and answers contain no token.": [
    "is in no log, span, metric, decision, error and answer",
    "T-HTTP-01"
  ],
  "The client learns one code, `invalid_token`, for every bad token.": ["T-HTTP-05"],
  "Text of other parties is escaped and cut at 256 characters in logs, spans, errors and reports.": [
    "T-AUD-14a",
    "T-AUD-14b",
    "T-AUD-14c",
    "T-AUD-14d",
    "T-AUD-14e",
    "T-AUD-14g"
  ],
  "An explanation in the log contains no segment of the token, and only values of claims that the table below lists.": [
    "T-AUD-14g",
    "is in no log, span, metric, decision, error and answer",
    "never shows a token that a client sends without a scheme",
    "names the paths and types of claims that the author's schema rejects, and never their values"
  ],
  "With `decisions: { details: false }`, an explanation contains only advice.": [
    "contains only advice with details: false"
  ],
  "For each reason, the log has at most `linesPerMinute` lines about rejections per minute (60 by default).": [
    "T-AUD-14h"
  ],
  "Two people never become one owner: a token without a subject is rejected unless it is provably a program's own.": [
    "T-AUD-17"
  ],
  "A token that is bound to a key needs a proof of that key with every request, also if the token is cached.": [
    "DPOP-34",
    "T-DPOP-04"
  ],
  "A DPoP proof is valid for one method, one URL and one token, within a window of at most five minutes, and once.": [
    "T-DPOP-01",
    "T-DPOP-02",
    "T-DPOP-06",
    "T-AUD-09"
  ],
  "If the store of used proofs is full or unavailable, the server answers 503.": ["T-DPOP-01"],
  "Stores of API keys contain hashes, and logs, spans, metrics, decisions, errors, answers and principals contain no API key.":
    ["T-APIKEY-11", "T-APIKEY-06"],
  "Handlers receive the public identifier of an API key instead of the key, and `TokenExchange` sends nothing for such a caller.":
    ["T-APIKEY-06", "T-APIKEY-12"],
  "A server that accepts API keys sends a key that a client presents as an access token to no authorization server.": [
    "T-APIKEY-12"
  ],
  "A record of an API key whose times are no seconds since 1970 is rejected, so a time in milliseconds does not make an expired key valid.":
    ["T-APIKEY-14"],
  "If the record of an API key loses a scope, a role or its owner, the open streams of the key end like those of a removed key.":
    ["T-APIKEY-10"],
  "The caller with an API key is never the owner of the data of a caller with a token.": ["T-APIKEY-06"],
  "A wrong API key is rejected, also where anonymous callers are allowed, and the client does not learn why.": [
    "T-APIKEY-03",
    "T-APIKEY-07"
  ],
  "An API key whose record was removed is rejected within the time `cache` (30 seconds by default), and its open streams end within that time and `revocationInterval`.":
    ["T-APIKEY-10"],
  "An API key of a tenant is worth nothing at another tenant, and with `tenants`, a key without a tenant is rejected.":
    [
      "T-APIKEY-13"
    ],
  "If the store of API keys fails, the server answers 503, and at most 100 keys are looked up at a time.": [
    "T-APIKEY-05"
  ],
  "A JWT is revoked by its content, so a second form of its signature is revoked with it.": ["T-AUD-03a", "T-AUD-03c"],
  "Tokens can be revoked one by one, by subject, by session and by client.": ["T-AUD-03b", "T-AUD-03d"],
  "A request to an MCP endpoint does not run if its token is revoked or invalidated while the body arrives.": [
    "T-AUD-07b",
    "T-AUD-07c"
  ],
  "Revocation and invalidation on this instance end open streams of the token at once.": ["T-AUD-03e", "T-AUD-03g"],
  "If tokens are revoked elsewhere, open streams end within `revocationInterval`.": ["T-AUD-03f"],
  "A withdrawn key is rejected after the refresh interval (10 minutes by default, between 5 and 60 by `Cache-Control`).":
    ["T-KEYS-10", "T-AUD-08"],
  "With `tenants`, a request that names no tenant, or an unknown one, is rejected unless you set `withoutTenant`.": [
    "T-AUD-01a",
    "T-AUD-01b"
  ],
  "Tenants in the path have their own resource, metadata and challenge.": ["T-AUD-01c", "T-AUD-01d"],
  "A session belongs to the caller who opened it: for every other caller it does not exist.": [
    "T-MCP-06",
    "T-AUD-19",
    "T-AUD-01e",
    "T-AUD-20c",
    "SESS-01"
  ],
  "A caller who opens too many sessions loses only their own sessions.": ["T-AUD-20"],
  "With `sessionStore`, a session belongs to its owner on every instance, and ends on every instance.": [
    "T-SESS-01",
    "T-SESS-02",
    "T-SESS-03",
    "T-SESS-05"
  ],
  "If the store of sessions fails, the server answers 503 to requests of a session, and opens none.": ["T-SESS-04"],
  "With `McpAuthSdk` for SDK v1, a task belongs to its caller on every instance that shares the store, and for others it does not exist.":
    [
      "T-AUD-20b",
      "T-AUD-20d"
    ],
  "The policy of a tool applies to its tasks as well, also after the caller lost a scope. A method of tasks requires a caller on every host.":
    [
      "T-AUD-20d",
      "T-AUD-20e"
    ],
  "A role, a claim or a check of the caller in the policy of a tool is evaluated for every request for its tasks.": [
    "T-AUD-20f"
  ],
  "Sealed state opens only for the same caller, operation and resource.": ["T-AUD-50", "SESS-06"],
  "Answers that depend on the caller are not marked as publicly cacheable.": ["T-AUD-13b"],
  "Hidden tools, prompts and resources are answered like those that do not exist, and send no updates.": [
    "T-AUD-13a",
    "T-AUD-05b",
    "T-MCP-09"
  ],
  "While the authorization server cannot be reached, the cached keys serve for at most 24 hours.": ["T-KEYS-11"],
  "After that the server answers 503 without a challenge.": ["T-KEYS-11"],
  "A key set without a usable key does not replace good keys.": ["T-AUD-15"],
  "Concurrent fetches of one document are coalesced, except in Workers, where requests cannot wait for each other.": [
    "DISC-09",
    "KEY-11"
  ],
  "Unknown key ids cause at most one fetch in 30 seconds, or eight in Workers.": [
    "T-KEYS-08",
    "KEY-15",
    "invented keys cause few fetches"
  ],
  "After a failed fetch there is a cooldown that grows, or the one that the provider asks for.": [
    "T-AUD-08",
    "T-AUD-10b"
  ],
  "A caller has at most 200 open event streams (`streamsPerCaller`, not in Workers), and takes none from other callers.":
    [
      "T-STREAM-01",
      "T-STREAM-02",
      "T-STREAM-03"
    ],
  "With `quotas`, a caller that exceeds a rate gets 429 before its body is read, and no other caller is affected.": [
    "T-QUOTA-01",
    "T-QUOTA-02",
    "T-QUOTA-06",
    "T-QUOTA-07"
  ],
  "With `quotas`, a shared limiter that fails rejects requests or admits them only as `whenUnavailable` states.": [
    "T-QUOTA-03",
    "T-QUOTA-04"
  ],
  "Requests to introspection and token endpoints are bounded by a queue (not in Workers), a limit on unknown tokens and a cooldown.":
    ["T-AUD-10a", "T-AUD-10e", "T-AUD-10f", "T-AUD-10h"],
  "Ages, cooldowns and cache lifetimes are monotonic: a step of the wall clock does not extend them.": [
    "T-AUD-08",
    "T-AUD-08k",
    "T-AUD-08t",
    "T-AUD-08d"
  ],
  "A token has at most 16 KiB, and its JSON at most 32 levels.": ["T-JOSE-12", "T-JOSE-13"],
  "A document has at most 1 MiB after decompression and takes at most 5 seconds, without redirects, over https unless its host is loopback.":
    ["T-KEYS-03", "T-KEYS-04", "SSRF-01"],
  "A request body is not read before the token is verified.": ["T-HTTP-12"],
  "A body has at most 4 MiB, 64 levels of JSON and 100 operations, and takes at most 30 seconds, unless you set other limits.":
    ["T-AUD-06a", "T-AUD-06b", "T-AUD-07e"],
  "A body that the gate reads takes memory in proportion to its bytes, however it is sent.": ["T-AUD-06b"],
  "For a resource on loopback, or with http on another host, a request with another `Host` is rejected (DNS rebinding).":
    ["T-AUD-18a", "T-AUD-18c"],
  "A server with several public URLs (`PublicUrl.byHost`) accepts a token or a proof only at its own URL, which the `Host` header selects.":
    ["T-AUD-32"],
  "A browser's request from an `Origin` that is not allowed is rejected.": ["T-HTTP-09", "T-AUD-02c"],
  "The origin `null` is allowed only by `allowNullOrigin`. A function `allowedOrigins` receives well-formed origins only, and rejects if it is broken.":
    ["T-AUD-02c"],
  "A public authorization server cannot name endpoints on private addresses, and a name that is not resolved in time is not contacted.":
    ["T-AUD-30", "T-AUD-30b"],
  "Requests to authorization servers of tenants go through `AddressGuard`.": ["T-AUD-01g"],
  "On Node, a client without a `fetch` of yours sends no request for metadata, registration, tokens or revocation to a private address of a host that was public.":
    [
      "2: opens no connection for metadata of an authorization server",
      "2: opens no connection for client credentials",
      "2: opens no connection for a registration",
      "2: opens no connection for a code",
      "2: opens no connection for a revocation",
      "2: opens no connection for a sign-in on another device",
      "2: is reached at no other address, whether a check or a connection saw it first"
    ],
  "A client reads at most 64 KiB of metadata.": ["5: reads metadata of at most 64 KiB"],
  "Events, logs, spans, metrics and errors of a client contain no token, code, verifier, secret, key or callback.": [
    "59: writes no token, code, verifier, state, key or callback of people into logs, spans, metrics, events and errors",
    "59: writes no token, assertion, secret or key of machines into logs, spans, metrics, events and errors"
  ],
  "The proxy shows a consent page for each sign-in, before the browser reaches the upstream, and keeps no consent.": [
    "attack 1: always shows a consent page before the upstream, also after an earlier approval",
    "attack 3: the page sets no cookie of a transaction, and creates no upstream state"
  ],
  "A callback of the upstream is accepted only in the browser that approved the sign-in, and once.": [
    "attack 2: rejects a callback in a browser that did not approve it, and stores nothing",
    "attack 38: a transaction is spent once, also by two callbacks at once"
  ],
  "A form of the consent page is accepted only from that page and that browser, and no page can be framed.": [
    "attack 4: a form from another site shows the page again",
    "attack 4: a page of another browser shows the page again, and that page then works",
    "attack 5: error pages cannot be framed and send no referrer"
  ],
  "No value of a client or of the upstream becomes markup, and the pages contain no script.": [
    "attack 11: no value of a request becomes markup"
  ],
  "A browser is sent only to a redirect URI that the client registered, of which only the port of a loopback URI may differ.":
    [
      "attack 19: rejects other redirect URIs of Claude on the web on a page",
      "attack 23: only the port of a loopback URI may differ"
    ],
  "Before consent, an error redirects to loopback only, and every other error is a page.": [
    "shows a page (attack A3), and redirects on loopback only"
  ],
  "PKCE with S256 is required of every client, also of clients with a secret.": [
    "attack 28: without PKCE: shows a page",
    "attack 28: with plain PKCE: shows a page"
  ],
  "A token of the proxy is valid for one resource, and contains only scopes that the person approved and that the upstream granted.":
    [
      "attack 44: two resources have separate codes, and a request must name one",
      "attack 15: shows the MCP scopes and the scopes that the upstream will be asked for",
      "attack 49: no scope that a person withholds"
    ],
  "A client never receives a token of the upstream, and a token of the upstream is not valid at the server.": [
    "the client of SDK v2 registers, signs in with consent, calls tools, and refreshes",
    "attack 45: a refresh token is not an access token, and the reverse"
  ],
  "A person is identified by the upstream and an immutable id, and is admitted only by a rule that you write.": [
    "attack 18: the subject is the name of the upstream, a hash of its issuer and an immutable id",
    "attack 17: a person outside the rule of admission gets no tokens stored",
    "rejects attack 17: no rule of admission"
  ],
  "Requests without a sign-in write nothing to the store.": [
    "attack 66 and attack 67: ten thousand requests without a sign-in write nothing"
  ],
  "A document of a client is fetched only from public addresses, without redirects, with limits of size, time and rate.":
    [
      "attack 70: opens no connection to private addresses, also if a name resolves to one",
      "attack 72: a redirect",
      "attack 73: a document that takes more than 5 seconds is unavailable",
      "attack 74: coalesces requests for one URL, and limits them for each host and in total"
    ],
  "A rejected code and a rejected refresh token have one response for all reasons.": [
    "attack 60: all rejected codes and tokens have the same response"
  ],
  "Every URL of the proxy comes from the configuration, and never from a header of a request.": [
    "attack 82: every URL comes from the configuration"
  ],
  "A code of the proxy works once, within 60 seconds, for the client that requested it, with its redirect URI and its verifier.":
    [
      "lives for 60 seconds",
      "attack 26: a redirect URI that differs",
      "attack 29: another verifier",
      "attack 32: of several redemptions at once",
      "attack 33: another client"
    ],
  "A replay of a code with the right verifier after 10 seconds ends its grant. Every other replay changes nothing.": [
    "attack 31: a replay after 10 seconds ends the grant",
    "attack 31: a replay within 10 seconds is a lost race",
    "attack 31: a replay with another verifier changes nothing"
  ],
  "A refresh token of the proxy works for its client only, and gains neither a scope nor another resource.": [
    "attack 43: another resource",
    "attack 48: a scope that the grant lacks",
    "attack 53: another client"
  ],
  "A refresh token that is used again after the retry window (10 minutes by default) ends its grant, and is reported as an event.":
    ["attack 50: reuse after the window"],
  "A text that the proxy did not issue as a refresh token changes nothing, also if it contains the id of a grant.": [
    "attack A7: garbage with the id of a grant"
  ],
  "Each rotation checks the person again, and a person that the upstream or `admit` rejects loses the grant.": [
    "attack 56: each rotation checks the person"
  ],
  "If the upstream offers no way to check a person, the grant ends after `uncheckableLifetime` (4 hours by default).": [
    "attack 56: a person that the upstream offers no way to check loses the grant after a stated time",
    "attack 56: a grant whose person cannot be checked ends at the time of the verdict"
  ],
  "The stored upstream tokens are removed when no grant uses them.": [
    "are removed from the store, and revoked at the form github",
    "are released with the grants that still live, for every end of a grant"
  ],
  "While the upstream is unavailable, no session ends, and access tokens live for at most 10 minutes.": [
    "attack 57: an outage of the upstream gives tokens of 10 minutes",
    "attack 57: an outage of an hour loses no session"
  ],
  "The store of the proxy contains no code, access token or refresh token, and no hash of a token.": [
    "attack 61: the store contains no code"
  ],
  "A record in the store of the proxy that was written without the secret, or moved to another key, is absent.": [
    "attack 61: show neither subjects nor clients, and a record without the seal of the proxy is absent"
  ],
  "A flood of invented codes neither reads the store nor blocks browsers in which a person has signed in before.": [
    "attack A10: an invented code causes no request to the store",
    "attack A10: junk codes of unknown browsers cause few requests to the upstream"
  ],
  "A client revokes only grants of that client, and learns nothing about others.": [
    "attack 55: another client cannot revoke the refresh token",
    "attack 55: another client cannot revoke the access token"
  ],
  "A grant that ended is rejected at once on the instance that ended it, and elsewhere within `livenessCache` (5 seconds by default).":
    ["is read once in five seconds, fails closed, and ends at once where the grant was ended"],
  "If the store of the proxy fails, no token is issued and no grant counts as alive beyond `livenessCache`.": [
    "attack A15: a store that evicts the record of a grant ends it"
  ],
  "A secret of the proxy that is short or that is not random is rejected at startup, and a removed secret ends what it signed.":
    ["attack 64: rejects 31 bytes as a secret", "attack 63: a rotation of the secret in two steps keeps sessions"],
  "An opaque token is sent to the introspection endpoint of the one authorization server that issues tokens of its form.":
    ["T-INTR-06", "INTR-01"],
  "A JWT is sent to no endpoint, except with `tokens: \"all\"` of `Introspection`.": ["T-INTR-06"],
  "`TokenExchange` sends the caller's token to the token endpoint.": [
    "is that of RFC 8693, at the token endpoint of the metadata"
  ],
  "Instances share used DPoP proofs through the option `replay` of `Dpop`.": ["T-AUD-09"],
  "Instances share DPoP nonces if they have the same `dpop.nonceSecret`.": [
    "instances with a common secret accept each other's nonces, and no others"
  ],
  "Instances share revocations through `Revocations.make` with one store.": [
    "a revocation by one instance makes another instance reject"
  ],
  "Instances share sessions through `sessionStore`, also the end of a session.": ["T-SESS-01", "T-SESS-02"],
  "Instances count quotas together through the option `limiter` of `Quotas`.": ["T-QUOTA-05"],
  "Instances open each other's sealed state if they have the same `requestState.secret`.": [
    "is opened by every instance with the same secret, which must have 32 bytes"
  ],
  "Instances name a caller alike in decisions if they have the same key of `Decision.hashedSubject`.": [
    "is plain, hashed under a key, or omitted"
  ]
}
