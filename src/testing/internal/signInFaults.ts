import type { FaultDescription, ServerRequest } from "./faultModel.ts"

/* The faults of the sign-in and of the registration. */

const isAt = (path: string, { party, url }: ServerRequest) => party === "issuer" && new URL(url).pathname === path

export const signInFaults = {
  "omits-issuer-in-callback": {
    number: 12,
    server: "The callback contains no issuer, although the metadata promise it (RFC 9207).",
    client: "Rejects the callback, and sends no code.",
    callback: (url) => url.searchParams.delete("iss")
  },
  "foreign-issuer-in-callback": {
    number: 12,
    server: "The callback names another issuer.",
    client: "Rejects the callback, and sends no code.",
    callback: (url, { elsewhere }) => url.searchParams.set("iss", elsewhere)
  },
  "command-in-authorization-endpoint": {
    number: 17,
    server: "The authorization endpoint contains text that shells expand or run.",
    client: "Opens the browser without a shell, and passes the URL as one argument.",
    metadata: (members, { issuer }) => ({
      ...members,
      authorization_endpoint: `${issuer}/authorize?theme=$(id)\`id\`&calc.exe&d=%COMSPEC%`
    })
  },
  "changes-state": {
    number: 18,
    server: "The callback has another `state` than the authorization request.",
    client: "Rejects the callback, and sends no code.",
    callback: (url) => url.searchParams.set("state", "another")
  },
  "denies-access": {
    number: 22,
    server: "The sign-in ends with `access_denied`, and with a description that contains a script.",
    client: "Ends the sign-in without a token request, begins no other one, and shows the description as text.",
    callback: (url) => {
      url.searchParams.delete("code")
      url.searchParams.set("error", "access_denied")
      url.searchParams.set("error_description", "<script>alert(1)</script>")
    }
  },
  "forgets-clients": {
    number: 27,
    server: "The authorization server no longer knows the clients that registered before the fault: `invalid_client`.",
    client: "Registers once more, or reports the error if a person registered the client.",
    respond: (request, { isOldClient }) => {
      if (!isAt("/token", request)) return undefined
      const [, basic] = /^Basic (.+)$/.exec(request.headers["authorization"] ?? "") ?? []
      const clientId = basic === undefined
        ? new URLSearchParams(request.body).get("client_id")
        : decodeURIComponent(atob(basic).split(":")[0]!)
      return clientId !== null && isOldClient(clientId)
        ? Response.json({ error: "invalid_client" }, { status: 401 })
        : undefined
    }
  },
  "registers-with-status-200": {
    number: 29,
    server: "The registration endpoint answers 200 instead of 201.",
    client: "Uses the registration.",
    registrationStatus: 200
  },
  "registers-other-redirect-uris": {
    number: 29,
    server: "The registration contains another redirect URI than the client asked for.",
    client: "Stops before the sign-in.",
    registration: (members) => ({ ...members, redirect_uris: ["https://other.example.com/callback"] })
  },
  "no-registration": {
    number: 30,
    server: "The authorization server registers no clients.",
    client: "Reports how to configure a client id, and guesses no registration endpoint.",
    metadata: ({ registration_endpoint: _, ...members }) => members
  },
  "accepts-secrets-in-body-only": {
    number: 31,
    server: "The token endpoint accepts only `client_secret_post`, as its metadata say.",
    client: "Sends its secret in the body, and never in a URL.",
    metadata: (members) => ({ ...members, token_endpoint_auth_methods_supported: ["client_secret_post"] }),
    respond: (request) =>
      isAt("/token", request) && request.headers["authorization"] !== undefined
        ? Response.json({ error: "invalid_client" }, { status: 401 })
        : undefined
  }
} satisfies Record<string, FaultDescription>
