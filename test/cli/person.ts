/** A browser of the operating system in which a person signs in: opens the URL, and follows the redirect to the callback. */
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"

const [url = "", username = ""] = process.argv.slice(2)

const callback = await new UserAgent({ username }).authorize(url)
const page = await fetch(callback)
if (page.status !== 200) throw new Error(await page.text())
