/**
 * The files that still declare names of the old vocabulary. A file leaves this list when it is clean. New files do not join.
 */
export const unfinishedNames: ReadonlyArray<string> = [
  "examples/authorization-server/UserAgent.ts",
  "examples/testing/Notes.test.ts",
  "examples/todo-manager/demo.ts",
  "examples/todo-manager/test/browser.test.ts",
  "examples/upstream/Orders.ts",
  "examples/upstream/OrdersTool.ts",
  "examples/whoami/test/tools.test.ts",
  "src/servers/effect/EffectHttp.ts",
  "test/conformance/SdkServers.ts"
]
