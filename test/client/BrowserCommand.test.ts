/** The commands that open a browser. Numbers in titles are those of the faults that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { browserCommand } from "../../src/client/node/BrowserCommand.ts"

const commands = [
  ["darwin", ["open"]],
  ["win32", ["rundll32", "url.dll,FileProtocolHandler"]],
  ["linux", ["xdg-open"]],
  ["freebsd", ["xdg-open"]]
] as const

/** URLs with characters that a shell or a program would interpret, and the argument that stands for each of them. */
const hostile = [
  ["https://a.test/?x=$(touch /tmp/x)", "https://a.test/?x=$(touch%20/tmp/x)"],
  ["https://a.test/?x=1&calc&y=%PATH%", "https://a.test/?x=1&calc&y=%PATH%"],
  ["https://a.test/?x=\" --option \"", "https://a.test/?x=%22%20--option%20%22"],
  ["https://a.test/\u0000\r\n\tcalc", "https://a.test/%00calc"],
  ["  --help https://a.test", undefined],
  ["HTTPS:\\\\a.test\\b", "https://a.test/b"]
] as const

describe.each(commands)("the command on %s", (platform, expected) => {
  it.each(hostile)("17: has the URL %j as one argument, without a shell", (url, argument) => {
    if (argument === undefined) {
      assert.throws(() => browserCommand(platform, url))
      return
    }
    assert.deepStrictEqual(browserCommand(platform, url), [...expected, argument] as never)
    assert.notMatch(argument, /["\s\p{Cc}]/u)
  })

  it.each(["javascript:alert(1)", "file:///etc/passwd", "ms-settings:", "data:text/html,x", "--help", ""])(
    "17: does not exist for %j",
    (url) => assert.throws(() => browserCommand(platform, url))
  )
})
