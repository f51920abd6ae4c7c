import { differs, isSilent, outcome, safe, unsafe } from "./discoveryRows.ts"
import type { Finding, Row, Scenario } from "./Scenario.ts"

/* Tokens, the MCP server, step-up authorization and DPoP. */

const signIns = async ({ requests }: Scenario): Promise<number> => (await requests("issuer", "/authorize")).length

const refreshes = async ({ tokenRequests }: Scenario): Promise<number> => (await tokenRequests("refresh_token")).length

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`

const notConnected = differs("does not connect without the fault")

/** Connects, sets a fault, and lets all access tokens expire. */
const later = async (scenario: Scenario, set: () => Promise<void>): Promise<Finding | undefined> => {
  if (!(await scenario.connect()).isDone) return notConnected
  await set()
  await scenario.servers.expireTokens()
  return undefined
}

/** After an outage of the token endpoint, the client must not need the person. */
const survivesOutage = (fault: "token-outage" | "token-rate-limit"): Row => ({
  number: 36,
  fault,
  isLater: true,
  observe: async (scenario) => {
    const { servers } = scenario
    const stopped = await later(scenario, () => servers.setFault(fault))
    if (stopped !== undefined) return stopped
    await scenario.call()
    await servers.setFault(undefined)
    // The servers ask the client to wait for a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const step = await scenario.call()
    const count = await signIns(scenario)
    if (count > 1) return unsafe("asks the person to sign in, although the refresh token is valid")
    return step.isDone ? safe("refreshes after the outage") : differs(`after the outage, it ${outcome(step)}`)
  }
})

/** The client must not ask the person again and again. */
const stopsSteppingUp = (
  fault: "asks-for-granted-scopes" | "asks-for-no-scopes" | "asks-for-ever-more-scopes"
): Row => ({
  number: 48,
  fault,
  isLater: true,
  observe: async (scenario) => {
    if (!(await scenario.connect()).isDone) return notConnected
    await scenario.servers.setFault(fault)
    const step = await scenario.call("add_todo")
    const count = await signIns(scenario) - 1
    if (isSilent(step)) {
      return unsafe(`loops: ${await refreshes(scenario)} refreshes and ${plural(count, "sign-in")} for one call`)
    }
    return count > 2
      ? unsafe(`${plural(count, "sign-in")} for one call`)
      : safe(`${plural(count, "sign-in")}, then an error`)
  }
})

/** An invalid challenge must lead to no sign-in. */
const treatsAsPlain = (fault: "malformed-challenge" | "giant-challenge"): Row => ({
  number: 51,
  fault,
  isLater: true,
  observe: async (scenario) => {
    if (!(await scenario.connect()).isDone) return notConnected
    await scenario.servers.setFault(fault)
    const step = await scenario.call("add_todo")
    const count = await signIns(scenario) - 1
    if (count > 2 || isSilent(step)) return unsafe(`${plural(count, "sign-in")} for one call`)
    return count > 0 ? differs(`${plural(count, "sign-in")} for one call`) : safe(outcome(step))
  }
})

const withoutDpop: Row["notApplicable"] = ({ hasDpop }) => hasDpop ? undefined : "has no DPoP"

export const tokenRows: ReadonlyArray<Row> = [
  {
    number: 32,
    sentence: "An access token expires, and ten calls need another one at once. The refresh token rotates.",
    observe: async (scenario) => {
      const stopped = await later(scenario, async () => {})
      if (stopped !== undefined) return stopped
      const steps = await Promise.all(Array.from({ length: 10 }, () => scenario.call()))
      const count = await refreshes(scenario)
      const done = steps.filter(({ isDone }) => isDone).length
      const again = await signIns(scenario) - 1
      if (count === 1 && done === 10 && again === 0) return safe("one refresh")
      return unsafe(
        `${plural(count, "refresh").replace("refreshs", "refreshes")}, ${
          plural(again, "sign-in")
        }, ${done} of 10 calls succeed`
      )
    }
  },
  {
    number: 33,
    sentence: "Two processes share a token that expires, and both call. The refresh token rotates.",
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone || !(await scenario.connect()).isDone) return notConnected
      const before = await signIns(scenario)
      await scenario.servers.expireTokens()
      const steps = await Promise.all([scenario.call("list_todos", 0), scenario.call("list_todos", 1)])
      const count = await refreshes(scenario)
      const again = await signIns(scenario) - before
      const done = steps.filter(({ isDone }) => isDone).length
      if (count === 1 && done === 2 && again === 0) return safe("one refresh")
      return unsafe(
        `${count === 1 ? "1 refresh" : `${count} refreshes`}, ${plural(again, "sign-in")}, ${done} of 2 calls succeed`
      )
    }
  },
  {
    number: 35,
    fault: "rejects-refresh-tokens",
    isLater: true,
    observe: async (scenario) => {
      const stopped = await later(scenario, () => scenario.servers.setFault("rejects-refresh-tokens"))
      if (stopped !== undefined) return stopped
      const first = await scenario.call()
      const second = await scenario.call()
      const sent = (await scenario.tokenRequests("refresh_token")).map((form) => form.get("refresh_token"))
      const most = Math.max(0, ...sent.map((token) => sent.filter((other) => other === token).length))
      if (most > 1) return unsafe(`sends the rejected token ${most} times`)
      return first.isDone || second.isDone ? safe("signs in again") : differs(outcome(second))
    }
  },
  survivesOutage("token-outage"),
  survivesOutage("token-rate-limit"),
  {
    number: 37,
    fault: "refreshes-without-details",
    isLater: true,
    observe: async (scenario) => {
      const stopped = await later(scenario, () => scenario.servers.setFault("refreshes-without-details"))
      if (stopped !== undefined) return stopped
      const first = await scenario.call()
      await scenario.servers.expireTokens()
      const second = await scenario.call()
      const again = await signIns(scenario) - 1
      const sent = (await scenario.tokenRequests("refresh_token")).map((form) => form.get("refresh_token"))
      if (again > 0) return unsafe("loses the refresh token, and asks the person to sign in")
      if (!first.isDone || !second.isDone) return differs(outcome(first.isDone ? second : first))
      return new Set(sent).size === 1 ? safe("uses the refresh token again") : differs("sends another refresh token")
    }
  },
  {
    number: 38,
    fault: "rejects-fresh-tokens",
    isLater: true,
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone) return notConnected
      const before = (await scenario.tokenRequests()).length
      await scenario.servers.setFault("rejects-fresh-tokens")
      const step = await scenario.call()
      const count = (await scenario.tokenRequests()).length - before
      const again = await signIns(scenario) - 1
      const saw = `${plural(count, "token request")}, ${plural(again, "sign-in")}`
      return count > 3 || again > 1 || isSilent(step) ? unsafe(saw) : safe(saw)
    }
  },
  {
    number: 39,
    fault: "unknown-token-type",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const sent = (await scenario.requests("server")).some(({ headers }) => headers["authorization"] !== undefined)
      return sent ? unsafe("sends the token as Bearer") : safe(outcome(step))
    }
  },
  {
    number: 39,
    fault: "issues-bearer-for-proof",
    options: { usesDpop: true },
    notApplicable: withoutDpop,
    observe: async (scenario) => {
      const step = await scenario.connect()
      const sent = (await scenario.requests("server")).some(({ headers }) => headers["authorization"] !== undefined)
      return sent ? unsafe("sends a token that is bound to no key") : safe(outcome(step))
    }
  },
  {
    number: 41,
    fault: "token-endpoint-at-another-origin",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const guessed = (await scenario.requests("issuer", "/token")).length
      if (guessed > 0) return unsafe("sends the code to an endpoint that the metadata do not name")
      return step.isDone ? safe("connects") : differs(outcome(step))
    }
  },
  {
    number: 42,
    fault: "metadata-of-a-sibling",
    observe: async (scenario) => {
      const step = await scenario.connect()
      const count = await signIns(scenario)
      return count === 0 ? safe(outcome(step)) : unsafe(`requests a token for the other server, and ${outcome(step)}`)
    }
  },
  {
    number: 43,
    fault: "redirects-requests",
    isLater: true,
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone) return notConnected
      await scenario.servers.setFault("redirects-requests")
      const step = await scenario.call()
      const received = await scenario.requests("elsewhere", "/mcp")
      if (received.some(({ headers }) => headers["authorization"] !== undefined)) return unsafe("sends the token along")
      return received.some(({ body }) => body !== "") ? unsafe("sends the message along") : safe(outcome(step))
    }
  },
  {
    number: 43,
    fault: "redirects-requests-to-a-sibling",
    isLater: true,
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone) return notConnected
      await scenario.servers.setFault("redirects-requests-to-a-sibling")
      const step = await scenario.call()
      const received = await scenario.requests("server", "/other")
      return received.some(({ headers }) => headers["authorization"] !== undefined)
        ? unsafe("sends the token to the other server")
        : safe(outcome(step))
    }
  },
  {
    number: 44,
    sentence: "The client has an API key for the MCP server, as a header.",
    options: { headers: { "x-api-key": "key-of-the-server" } },
    observe: async (scenario) => {
      await scenario.connect()
      const leaked = (await scenario.requests("issuer")).filter(({ headers }) => headers["x-api-key"] !== undefined)
      const paths = [...new Set(leaked.map(({ url }) => new URL(url).pathname))]
      if (leaked.length > 0) return unsafe(`the authorization server receives it at ${paths.join(", ")}`)
      const isSent = (await scenario.requests("server", "/mcp")).some(({ headers }) =>
        headers["x-api-key"] !== undefined
      )
      return isSent ? safe("only the MCP server receives it") : differs("the MCP server does not receive it")
    }
  },
  {
    number: 47,
    sentence: "A tool requires another scope. The challenge names only this one.",
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone) return notConnected
      const step = await scenario.call("add_todo")
      const requests = await scenario.requests("issuer", "/authorize")
      const scopes = (new URL(requests.at(-1)!.url).searchParams.get("scope") ?? "").split(" ")
      if (requests.length === 1) return differs("asks for no further scope")
      if (!scopes.includes("todos:read")) return unsafe("loses the scope that it had")
      if (requests.length > 2) return unsafe(`${requests.length - 1} sign-ins`)
      return step.isDone ? safe("one sign-in for both scopes") : differs(outcome(step))
    }
  },
  stopsSteppingUp("asks-for-granted-scopes"),
  stopsSteppingUp("asks-for-no-scopes"),
  stopsSteppingUp("asks-for-ever-more-scopes"),
  {
    number: 49,
    fault: "grants-fewer-scopes",
    isLater: true,
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone) return notConnected
      await scenario.servers.setFault("grants-fewer-scopes")
      const refused = await scenario.call("add_todo")
      const count = await signIns(scenario) - 1
      const step = await scenario.call("list_todos")
      if (count > 2 || isSilent(refused)) {
        return unsafe(`${plural(count, "sign-in")} for one call`)
      }
      return step.isDone && await signIns(scenario) - 1 === count
        ? safe(`${plural(count, "sign-in")}, then an error; the smaller token stays`)
        : differs("loses the smaller token")
    }
  },
  treatsAsPlain("malformed-challenge"),
  treatsAsPlain("giant-challenge"),
  {
    number: 52,
    fault: "requires-dpop-nonces",
    options: { usesDpop: true },
    notApplicable: withoutDpop,
    observe: async (scenario) => {
      const connected = await scenario.connect()
      const step = connected.isDone ? await scenario.call() : connected
      const proofs = (await scenario.servers.requests()).flatMap(({ headers }) => headers["dpop"] ?? [])
      if (new Set(proofs).size < proofs.length) return unsafe("sends a proof twice")
      return step.isDone ? safe("repeats each request with the nonce") : differs(outcome(step))
    }
  },
  {
    number: 52,
    fault: "changes-dpop-nonces",
    isLater: true,
    options: { usesDpop: true },
    notApplicable: withoutDpop,
    observe: async (scenario) => {
      if (!(await scenario.connect()).isDone) return notConnected
      await scenario.servers.setFault("changes-dpop-nonces")
      await scenario.servers.takeRequests()
      const step = await scenario.call()
      const count = (await scenario.requests("server", "/mcp")).filter(({ method }) => method === "POST").length
      if (count > 6 || isSilent(step)) return unsafe(`${plural(count, "request")} for one call`)
      const saw = `${plural(count, "request")}, then an error`
      return count > 2 ? differs(saw) : safe(saw)
    }
  },
  {
    number: 59,
    sentence: "A refresh fails. Tokens, codes and verifiers must be in no output and no error.",
    fault: "token-outage",
    isLater: true,
    observe: async (scenario) => {
      const stopped = await later(scenario, () => scenario.servers.setFault("token-outage"))
      if (stopped !== undefined) return stopped
      await scenario.call()
      const forms = await scenario.tokenRequests()
      const headers = (await scenario.requests("server")).map((request) => request.headers["authorization"] ?? "")
      const secrets: ReadonlyArray<readonly [string, string]> = [
        ...headers.map((header) => ["an access token", header.split(" ")[1] ?? ""] as const),
        ...forms.map((form) => ["a refresh token", form.get("refresh_token") ?? ""] as const),
        ...forms.map((form) => ["a verifier", form.get("code_verifier") ?? ""] as const),
        ...forms.map((form) => ["a code", form.get("code") ?? ""] as const)
      ]
      const output = scenario.output()
      const found = secrets.find(([, secret]) => secret !== "" && output.includes(secret))
      return found === undefined ? safe("none") : unsafe(`the output contains ${found[0]}`)
    }
  },
  {
    number: 60,
    fault: "issues-expired-tokens",
    isLater: true,
    observe: async (scenario) => {
      const stopped = await later(scenario, () => scenario.servers.setFault("issues-expired-tokens"))
      if (stopped !== undefined) return stopped
      const before = (await scenario.tokenRequests()).length
      const step = await scenario.call()
      const count = (await scenario.tokenRequests()).length - before
      return count > 3 || isSilent(step)
        ? unsafe(plural(count, "token request"))
        : safe(plural(count, "token request"))
    }
  }
]
