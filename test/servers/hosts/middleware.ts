/**
 * The middleware in front of the gate of every host of these tests. Like a gateway, it sets `Authorization` to the value of the
 * header `x-gateway-authorization`, or removes it if the value is `none`. It changes no other request. This file imports no module
 * of Node, because the Worker bundles it.
 */

export const gatewayHeader = "x-gateway-authorization"

/** Changes the headers of a `Request`. */
export const onFetch = (request: Request): Request => {
  const value = request.headers.get(gatewayHeader)
  if (value === null) return request
  const headers = new Headers(request.headers)
  if (value === "none") headers.delete("authorization")
  else headers.set("authorization", value)
  return new Request(request, { headers })
}

/** Changes the headers of a request of Node, as middleware of Express does. The lines that the client sent stay in `rawHeaders`. */
export const onNode = (req: { readonly headers: Record<string, string | ReadonlyArray<string> | undefined> }): void => {
  const value = req.headers[gatewayHeader]
  if (value === "none") delete req.headers["authorization"]
  else if (value !== undefined) req.headers["authorization"] = value
}
