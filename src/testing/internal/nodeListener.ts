/* An issuer on Node's `(req, res)`, known by their shape alone. */

/**
 * A request of `node:http`, as far as the issuer reads it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | Array<string> | undefined }
}

/**
 * A response of `node:http`, as far as the issuer writes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface NodeResponse {
  readonly destroyed: boolean
  writeHead(status: number, headers: Record<string, string>): unknown
  write(chunk: Uint8Array): boolean
  once(event: string, listener: () => void): unknown
  end(): unknown
  destroy(): unknown
}

/** Whatever goes wrong is a connection that ends. */
export const make =
  (issuer: string, respond: (request: Request) => Promise<Response>) =>
  (request: NodeRequest, response: NodeResponse): void => {
    const next = (event: string) => new Promise<void>((resolve) => response.once(event, resolve))
    const gone = next("close")
    const answer = async () => {
      const { body, headers, status } = await respond(await requestOf(request, new URL(issuer).origin))
      response.writeHead(status, Object.fromEntries(headers))
      const reader = body?.getReader()
      for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
        if (!response.write(part.value)) await Promise.race([next("drain"), gone])
        if (response.destroyed) return reader?.cancel()
      }
      response.end()
    }
    answer().catch(() => response.destroy())
  }

// What a client sends as Host has no say in which documents it gets.
const requestOf = async (request: NodeRequest, origin: string): Promise<Request> => {
  const { headers, method = "GET", url = "/" } = request
  const chunks: Array<Uint8Array<ArrayBuffer>> = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array<ArrayBuffer>)
  return new Request(origin + url, {
    method,
    headers: Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]]
    ),
    ...(chunks.length === 0 ? {} : { body: new Blob(chunks) })
  })
}
