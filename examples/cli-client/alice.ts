#!/usr/bin/env node
/** A browser in which alice signs in and consents. It opens the URL in its argument, and follows the redirect to the tool. */
import { UserAgent } from "../authorization-server/UserAgent.ts"

const alice = new UserAgent({ username: "alice" })
await alice.open(await alice.authorize(process.argv[2]!))
