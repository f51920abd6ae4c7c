/** Plays alice and bob, each with a browser, who use the agent. Prints what they see. */
import assert from "node:assert/strict"
import { UserAgent } from "../authorization-server/UserAgent.ts"

const agent = `http://127.0.0.1:${process.env["AGENT_PORT"] ?? 5000}`
const [home = "", work = ""] = (process.env["SERVERS"] ?? "http://127.0.0.1:3000/mcp,http://127.0.0.1:3001/mcp").split(
  ","
)

const alice = new UserAgent({ username: "alice" })
const bob = new UserAgent({ username: "bob" })

/** Prints the headings, todos and links of the page. Returns the links to authorization servers. */
const look = async (person: UserAgent): Promise<ReadonlyArray<string>> => {
  const { html } = await person.open(agent)
  for (const [, tag, text] of html.matchAll(/<(h1|h2|li|a|p)[^>]*>([^<]+)/g)) {
    console.log(`${tag === "h1" ? "" : tag === "h2" ? "  " : "    "}${text!.trim()}`)
  }
  return [...html.matchAll(/<a href="([^"]+)"/g)].map(([, url]) => url!.replaceAll("&#38;", "&"))
}

const submit = (person: UserAgent, path: string, fields: Readonly<Record<string, string>>) =>
  person.open(agent + path, fields)

/** Signs in at the authorization server, consents, and follows the redirect to the agent. */
const connect = async (person: UserAgent, link: string) => {
  const { status } = await person.open(await person.authorize(link))
  assert.equal(status, 303)
}

await submit(alice, "/sign-in", { name: "alice" })
const links = await look(alice)
console.log("\n-- alice connects both servers, and bob one")
for (const link of links) await connect(alice, link)
await submit(bob, "/sign-in", { name: "bob" })
const [, atWork] = await look(bob)
await connect(bob, atWork!)

console.log("\n-- the agent creates todos for both")
await submit(alice, "/create", { server: home, title: "Buy milk" })
await submit(alice, "/create", { server: work, title: "Write the report" })
await submit(bob, "/create", { server: work, title: "Book a room" })
await look(alice)
await look(bob)

console.log("\n-- to delete a todo, the agent needs one scope more")
const { location } = await submit(alice, "/delete", { server: work, id: "1" })
console.log(`alice must consent to ${location!.searchParams.get("scope")}`)
const callback = await alice.authorize(location!)
const stolen = await bob.open(callback)
console.log(`her callback in the browser of bob: ${stolen.status} ${stolen.html}`)

console.log("\n-- alice begins again, consents, and deletes the todo")
const again = await submit(alice, "/delete", { server: work, id: "1" })
await connect(alice, again.location!.href)
await submit(alice, "/delete", { server: work, id: "1" })
await look(alice)

console.log("\n-- alice disconnects her home")
await submit(alice, "/disconnect", { server: home })
await look(alice)
