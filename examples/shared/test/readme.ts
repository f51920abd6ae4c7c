import { readFileSync } from "node:fs"

/** Returns the output that the README of an example shows, one entry per block. */
export const shownOutput = (example: string): ReadonlyArray<string> => {
  const text = readFileSync(new URL(`../../${example}/README.md`, import.meta.url), "utf8")
  return [...text.matchAll(/^```text(?: clone)?\n(.*?)^```$/gms)].map((block) => comparable(block[1] ?? ""))
}

/** Removes parts that differ from run to run: ports, shortened secrets, client identifiers. */
export const comparable = (output: string): string =>
  output
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:port")
    .replaceAll(/\S+…\S+/g, "…")
    .replaceAll(/client_id: \S+/g, "client_id: …")
    .trim()
