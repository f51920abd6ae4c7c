/* The program that opens a URL on each operating system. Each receives the URL as one argument, and none is a shell. */

const darwin: ReadonlyArray<string> = ["open"]

/** `cmd /c start` would expand `&` and `%`. */
const win32: ReadonlyArray<string> = ["rundll32", "url.dll,FileProtocolHandler"]

const others: ReadonlyArray<string> = ["xdg-open"]

/**
 * Returns the program and its arguments for a platform, as Node names it. The URL is serialized again, so it contains no space, quote
 * or control character, and cannot be an option. Throws if the URL is neither https nor http.
 */
export const browserCommand = (platform: string, url: string): readonly [string, ...ReadonlyArray<string>] => {
  const { href, protocol } = new URL(url)
  if (protocol !== "https:" && protocol !== "http:") throw new Error(`A browser does not open ${protocol}`)
  const [program, ...rest] = platform === "darwin" ? darwin : platform === "win32" ? win32 : others
  return [program!, ...rest, href]
}
