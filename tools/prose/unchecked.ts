/** The files whose prose is not checked, and the reason. A file leaves this list when it is clean. */
export const unchecked: Readonly<Record<string, string>> = {
  "test/tools/prose.test.ts": "contains the words that the check must find"
}
