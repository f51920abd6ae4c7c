export default { fetch: () => new Response("in") }
