import type { MisbehavingServers } from "effect-mcp-auth/testing"
import type { Finding, Row, Scenario, Step } from "./Scenario.ts"
import { credentials, privateAddress } from "./World.ts"

/* Discovery, sign-in and registration. */

export const safe = (saw: string): Finding => ({ verdict: "safe", saw })
export const unsafe = (saw: string): Finding => ({ verdict: "unsafe", saw })
export const differs = (saw: string): Finding => ({ verdict: "differs", saw })

/** Whether a step had no result in time. */
export const isSilent = ({ error }: Step): boolean => error?.startsWith("no result") === true

/** Describes the result of a step in a few words. */
export const outcome = (step: Step): string => {
  const { error, isDone } = step
  return isDone ? "connects" : error !== undefined && isSilent(step) ? error : "stops with an error"
}

const oauthPaths = ["/authorize", "/register", "/token"]

/** Describes the OAuth requests that a party received, such as "/register, /token". */
const oauthRequests = async ({ requests }: Scenario, party: MisbehavingServers.Party): Promise<string> => {
  const paths = (await requests(party)).map(({ url }) => new URL(url).pathname)
  return oauthPaths.filter((path) => paths.includes(path)).join(", ")
}

/** The attacker must receive no OAuth request. */
const notElsewhere = async (scenario: Scenario): Promise<Finding> => {
  const step = await scenario.connect()
  const paths = await oauthRequests(scenario, "elsewhere")
  if (paths !== "") return unsafe(`the attacker receives ${paths}`)
  const others = (await scenario.requests("elsewhere")).length
  return safe(`${outcome(step)}${others === 0 ? "" : ", after it has read metadata of the attacker"}`)
}

/** The person must not be sent to the authorization server. */
const stopsBeforeSignIn = async (scenario: Scenario): Promise<Finding> => {
  const step = await scenario.connect()
  const count = (await scenario.requests("issuer", "/authorize")).length
  return count === 0 ? safe(outcome(step)) : unsafe(`sends the person to the sign-in, and ${outcome(step)}`)
}

/** No code may reach the token endpoint. */
const sendsNoCode = async (scenario: Scenario): Promise<Finding> => {
  const step = await scenario.connect()
  const count = (await scenario.tokenRequests("authorization_code")).length
  // A program waits for the right callback, because another page could have sent this one.
  return count === 0
    ? safe(isSilent(step) ? "rejects the callback, and waits for another one" : outcome(step)) :
    unsafe(`redeems the code, and ${outcome(step)}`)
}

const guessesNothing = async (scenario: Scenario): Promise<Finding> => {
  const step = await scenario.connect()
  const guessed = [await oauthRequests(scenario, "server"), await oauthRequests(scenario, "issuer")].filter((_) =>
    _ !== ""
  )
  return guessed.length === 0 ? safe(outcome(step)) : differs(`guesses the endpoint ${guessed.join(", ")}`)
}

const opensWebPagesOnly = async (scenario: Scenario): Promise<Finding> => {
  const step = await scenario.connect()
  const other = scenario.person.opened.find((url) => !/^https?:/.test(url))
  return other === undefined ? safe(outcome(step)) : unsafe(`passes on ${other.slice(0, 12)}…`)
}

const connects = async (scenario: Scenario): Promise<Finding> => {
  const step = await scenario.connect()
  return step.isDone ? safe("connects") : differs(outcome(step))
}

export const discoveryRows: ReadonlyArray<Row> = [
  { number: 1, fault: "challenge-names-foreign-metadata", observe: notElsewhere },
  {
    number: 2,
    fault: "token-endpoint-in-private-network",
    notApplicable: () => privateAddress() === undefined ? "this machine has no address in a network" : undefined,
    observe: async (scenario) => {
      const step = await scenario.connect()
      const count = (await scenario.requests("privateNetwork")).length
      return count === 0 ? safe(outcome(step)) : unsafe("sends a request into the private network")
    }
  },
  { number: 4, fault: "redirects-resource-metadata", observe: notElsewhere },
  { number: 4, fault: "redirects-issuer-metadata", observe: notElsewhere },
  {
    number: 4,
    fault: "redirects-token-requests",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const leaked = (await scenario.requests("elsewhere")).some(({ body }) => body.includes("code_verifier="))
      return leaked ? unsafe("sends the code and the verifier to the attacker") : safe(outcome(step))
    }
  },
  { number: 4, fault: "redirects-registrations", observe: notElsewhere },
  {
    number: 5,
    fault: "endless-metadata",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const megabytes = await scenario.servers.sentBytes() / 2 ** 20
      // Sockets buffer a few megabytes that the client does not read.
      return megabytes > 16 ? unsafe(`reads ${megabytes.toFixed(0)} MiB`) : safe(outcome(step))
    }
  },
  {
    number: 5,
    fault: "stalled-metadata",
    // The SDKs end a request after a minute.
    patience: 70_000,
    observe: async (scenario) => {
      const step = await scenario.connect()
      return isSilent(step)
        ? unsafe(`waits for more than ${step.took.toFixed(0)} s`)
        : safe(`gives up after ${step.took.toFixed(0)} s`)
    }
  },
  { number: 6, fault: "metadata-of-another-server", observe: stopsBeforeSignIn },
  { number: 6, fault: "metadata-of-a-shorter-name", observe: stopsBeforeSignIn },
  {
    number: 7,
    fault: "metadata-of-the-origin",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const expected = new URL(scenario.servers.resource).origin
      const sent = [
        ...(await scenario.requests("issuer", "/authorize")).map(({ url }) => new URL(url).searchParams),
        ...await scenario.tokenRequests()
      ].map((parameters) => parameters.get("resource"))
      if (!step.isDone) return differs(outcome(step))
      const other = sent.find((resource) => resource !== expected)
      return other === undefined
        ? safe("sends the identifier as it is written")
        : differs(other === null ? "sends no resource" : `appends ${other.slice(expected.length)} to the identifier`)
    }
  },
  { number: 8, fault: "metadata-of-another-issuer", observe: stopsBeforeSignIn },
  {
    number: 9,
    fault: "names-foreign-issuer-first",
    sentence: "The client is registered at one authorization server. The MCP server names that of an attacker first.",
    options: { isRegistered: true },
    observe: async (scenario) => {
      const step = await scenario.connect()
      const received = await scenario.requests("elsewhere")
      const hasSecret = received.some(({ body, headers, url }) =>
        [body, url, atob((headers["authorization"] ?? "").replace(/^Basic /, ""))].some((text) =>
          text.includes(credentials.clientSecret)
        )
      )
      if (hasSecret) return unsafe("sends its secret to the attacker")
      return received.some(({ url }) => oauthPaths.includes(new URL(url).pathname))
        ? unsafe("sends the person to the attacker")
        : safe(outcome(step))
    }
  },
  {
    number: 11,
    fault: "changes-issuer-during-sign-in",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const leaked = (await scenario.requests("elsewhere")).some(({ body }) => body.includes("code="))
      return leaked ? unsafe("sends the code to the attacker") : safe(outcome(step))
    }
  },
  { number: 12, fault: "omits-issuer-in-callback", observe: sendsNoCode },
  { number: 12, fault: "foreign-issuer-in-callback", observe: sendsNoCode },
  { number: 14, fault: "html-at-first-well-known-url", observe: connects },
  { number: 14, fault: "metadata-outage", observe: guessesNothing },
  { number: 15, fault: "script-as-authorization-endpoint", observe: opensWebPagesOnly },
  { number: 15, fault: "file-as-authorization-endpoint", observe: opensWebPagesOnly },
  { number: 16, fault: "no-metadata", observe: guessesNothing },
  {
    number: 18,
    fault: "changes-state",
    notApplicable: ({ leavesState }) => leavesState ? "the application compares `state`" : undefined,
    observe: sendsNoCode
  },
  {
    number: 22,
    fault: "denies-access",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const signIns = (await scenario.requests("issuer", "/authorize")).length
      if (signIns > 1) return unsafe(`begins ${signIns} sign-ins`)
      if ((await scenario.tokenRequests()).length > 0) return unsafe("requests a token")
      return scenario.person.pages.some(({ headers, html }) =>
          headers.get("content-type")?.includes("html") === true && html.includes("<script>alert")
        )
        ? unsafe("shows the description as HTML")
        : safe(outcome(step))
    }
  },
  {
    number: 26,
    sentence:
      "The page of the callback, whose URL contains the code, is stored by the browser or named to other sites.",
    notApplicable: ({ isProgram }) => isProgram ? undefined : "the application shows the page",
    observe: async (scenario) => {
      await scenario.connect()
      const [page] = scenario.person.pages
      if (page === undefined) return differs("shows no page")
      const missing = [
        ...(page.headers.get("cache-control")?.includes("no-store") === true ? [] : ["no-store"]),
        ...(page.headers.get("referrer-policy") === "no-referrer" ? [] : ["no-referrer"])
      ]
      return missing.length === 0 ? safe("no-store, no-referrer") : unsafe(`the page lacks ${missing.join(" and ")}`)
    }
  },
  {
    number: 27,
    fault: "forgets-clients",
    isLater: true,
    observe: async (scenario) => {
      await scenario.connect()
      await scenario.servers.setFault("forgets-clients")
      await scenario.servers.expireTokens()
      const before = (await scenario.tokenRequests()).length
      const step = await scenario.call()
      const count = (await scenario.tokenRequests()).length - before
      if (count > 3) return unsafe(`${count} token requests`)
      return step.isDone ? safe("registers again, and signs in") : differs(outcome(step))
    }
  },
  { number: 29, fault: "registers-with-status-200", observe: connects },
  {
    number: 29,
    fault: "registers-other-redirect-uris",
    observe: async (scenario) => {
      const { saw, verdict } = await stopsBeforeSignIn(scenario)
      return verdict === "safe" ? safe(saw) : differs(saw)
    }
  },
  {
    number: 30,
    fault: "no-registration",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const count = (await scenario.requests("issuer", "/register")).length
      return count === 0 ? safe(outcome(step)) : differs("guesses the registration endpoint")
    }
  },
  {
    number: 31,
    fault: "accepts-secrets-in-body-only",
    options: { isRegistered: true },
    observe: async (scenario) => {
      const step = await scenario.connect()
      const all = await scenario.servers.requests()
      if (all.some(({ url }) => url.includes(credentials.clientSecret))) return unsafe("sends the secret in a URL")
      return step.isDone ? safe("sends the secret in the body") : differs(outcome(step))
    }
  }
]
