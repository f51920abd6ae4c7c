/**
 * Runs before each test file. Makes the look-up of every name other than `localhost` fail at once, as without a network. A
 * real resolver can be slow, and some resolvers answer for names that do not exist.
 */
import dns from "node:dns"
import { syncBuiltinESMExports } from "node:module"

const { lookup } = dns
const { lookup: lookupPromise } = dns.promises

/** Returns true for `localhost`, which the hosts file contains, and for IP addresses, which need no look-up. */
const isLocal = (name: string) => /^(?:localhost|[\d.]+|.*:.*|)$/i.test(name)

const notFound = (name: string) =>
  Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}: tests resolve no names`), {
    code: "ENOTFOUND",
    syscall: "getaddrinfo",
    hostname: name
  })

type Callback = (error: Error) => void

dns.lookup = ((name: string, ...rest: [object, Callback] | [Callback]) => {
  if (isLocal(name)) Reflect.apply(lookup, dns, [name, ...rest])
  else process.nextTick(rest.at(-1) as Callback, notFound(name))
}) as typeof dns.lookup

dns.promises.lookup = ((name: string, options?: object) =>
  isLocal(name)
    ? Reflect.apply(lookupPromise, dns.promises, [name, options])
    : Promise.reject(notFound(name))) as typeof dns.promises.lookup

syncBuiltinESMExports()
