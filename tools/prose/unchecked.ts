/** The files whose prose is not checked, each with the reason. Remove a file from this list when it has no findings. */
export const unchecked: Readonly<Record<string, string>> = {
  "test/tools/prose.test.ts": "contains the words that the check must find"
}
