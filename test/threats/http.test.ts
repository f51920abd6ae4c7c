import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpClient } from "effect/http"
import { connect } from "node:net"
import * as Running from "./Running.ts"

const {
  assertInvalidToken,
  bearer,
  challengeOf,
  goodClaims,
  goodHeader,
  messageHeaders,
  resultOf,
  segment
} = Running

const body = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "list_todos", arguments: {} }
})

describe("the request", () => {
  it.effect("T-HTTP-01 reads a token only from the header, and logs it nowhere", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
      const json = messageHeaders("tools/call", "list_todos")
      const answers = [
        yield* server.send({ path: `/mcp?access_token=${token}`, headers: json, body }),
        yield* server.send({
          headers: { ...json, "content-type": "application/x-www-form-urlencoded" },
          body: `access_token=${token}`
        }),
        yield* server.send({ headers: json, body: JSON.stringify({ access_token: token, ...JSON.parse(body) }) }),
        yield* server.send({ headers: { ...json, cookie: `access_token=${token}` }, body }),
        yield* server.send({ headers: { ...json, "x-access-token": token }, body }),
        yield* server.send({ headers: { ...json, "proxy-authorization": `Bearer ${token}` }, body })
      ]
      for (const answer of answers) {
        assert.strictEqual(answer.status, 401)
        assert.notProperty(challengeOf(answer), "error")
        assert.strictEqual(answer.body, "")
      }
      assert.notInclude(server.logs(), token)
      assert.notInclude(JSON.stringify(server.decisions), token)
      assert.deepStrictEqual(yield* server.issuer.requests, [])
    }))

  it.effect("T-HTTP-03 rejects credentials outside their grammar", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
      const bad = [
        `Bearer ${token.slice(0, 20)}=${token.slice(20)}`,
        `Bearer "${token}"`,
        `Bearer ${token}%20`,
        `Bearer ${token} ${token}`,
        `Bearer ${token},`,
        `Bearer ${token}\u00e9`,
        `Bearer\t${token}`,
        "Bearer",
        `Bearer: ${token}`,
        `Bearer=${token}`
      ]
      for (const authorization of bad) {
        const answer = yield* server.call("list_todos", { authorization })
        assert.strictEqual(answer.status, 400, authorization)
        assert.strictEqual(challengeOf(answer)["error"], "invalid_request")
      }
      for (const authorization of [`BearerX ${token}`, `Basic ${token}`, token]) {
        const answer = yield* server.call("list_todos", { authorization })
        assert.strictEqual(answer.status, 401, authorization)
        assert.notProperty(challengeOf(answer), "error")
      }
      const twice = yield* server.call("list_todos", { authorization: [`Bearer ${token}`, `Bearer ${token}`] })
      assert.strictEqual(twice.status, 400)
      const folded = yield* server.raw(
        `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer\r\n ${token}\r\nContent-Length: 0\r\n\r\n`,
        (_) => _.includes("\r\n\r\n")
      )
      // Node either rejects a folded header, or joins its lines with a space (RFC 9112 §5.2). If Node joins them, the gate
      // rejects the request, because its body is empty and has no content type.
      assert.match(folded, /^HTTP\/1\.1 4\d\d /)
      resultOf(yield* server.call("list_todos", { authorization: `bEARER   ${token}` }))
    }))

  it.effect("T-HTTP-04 puts no part of a token or a body into a header of the response", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const evil = ["a\r\nSet-Cookie: b=c", "a\"b", "a\\b", "\u{1f600}", "scope=\"admin\"", "x".repeat(5_000)]
      for (const text of evil) {
        for (
          const [header, claims] of [
            [{ kid: text }, {}],
            [{}, { iss: text }],
            [{}, { aud: text }],
            [{ typ: text }, {}],
            [{}, { scope: text }],
            [{}, { sub: `a${text}`, exp: 1 }]
          ] as const
        ) {
          const token = yield* server.issuer.signSegments(
            segment({ ...goodHeader, ...header }),
            segment({ ...goodClaims(server), ...claims })
          )
          const answer = yield* server.call("add_todo", bearer(token), { title: "x" })
          assert.include([401, 403], answer.status)
          const parameters = challengeOf(answer)
          assert.isUndefined(answer.headers["set-cookie"])
          assert.include(["todos:read", "todos:read todos:write"], parameters["scope"])
        }
        const good = yield* server.issuer.mint({ scopes: ["todos:read"] })
        const unknown = yield* server.message("tools/call", { name: text, arguments: {} }, {
          ...bearer(good),
          "mcp-name": `=?base64?${Buffer.from(text).toString("base64")}?=`
        })
        assert.isUndefined(unknown.headers["set-cookie"])
        assert.isEmpty(unknown.challenges)
      }
    }))

  it.effect("T-HTTP-05 the client learns a code and no detail, for every failure", () =>
    Effect.gen(function*() {
      const secret = "internal-host-10-0-0-7"
      const server = yield* Running.start({ issuer: `https://${secret}.test` })
      const good = yield* server.issuer.mint({ scopes: ["todos:read"] })
      const answers = [
        yield* server.call("list_todos", bearer(yield* server.issuer.mint({ audience: "https://other.test" }))),
        yield* server.call("list_todos", bearer(yield* server.issuer.mint({ header: { kid: "nobody" } }))),
        yield* server.call("list_todos", bearer(yield* server.issuer.mint({ expiresIn: "-1 seconds" }))),
        yield* server.call("list_todos", bearer(`${good.slice(0, -4)}AAAA`))
      ]
      for (const answer of answers) assertInvalidToken(server, answer)
      const down = yield* Running.start({ issuer: `https://${secret}.test` })
      const token = yield* down.issuer.mint({ scopes: ["todos:read"] })
      yield* down.issuer.fail({ _tag: "Status", status: 500 })
      const unavailable = yield* down.call("list_todos", bearer(token))
      Running.assertUnavailable(unavailable)
      const broken = yield* Running.start({
        client: (own) => HttpClient.mapRequestEffect(own, () => Effect.die(new Error(`defect at ${secret}`)))
      })
      const dead = yield* broken.call("list_todos", bearer(yield* broken.issuer.mint({ scopes: ["todos:read"] })))
      assert.include([500, 503], dead.status)
      for (const answer of [...answers, unavailable, dead]) {
        const all = JSON.stringify(answer)
        assert.notInclude(all, secret)
        assert.notMatch(all, /\.ts:|node_modules|at [A-Za-z]+ \(|key-1|nobody/)
        assert.isBelow(answer.body.length, 300)
      }
    }))

  it.effect("T-HTTP-08 answers preflights, and checks origins", () =>
    Effect.gen(function*() {
      const server = yield* Running.start({ auth: { allowedOrigins: ["https://app.example"] } })
      const preflight = { origin: "https://app.example", "access-control-request-method": "POST" }
      const metadata = yield* server.send({
        method: "OPTIONS",
        path: "/.well-known/oauth-protected-resource/mcp",
        headers: { ...preflight, origin: "https://anyone.example" }
      })
      assert.strictEqual(metadata.status, 204)
      assert.strictEqual(metadata.headers["access-control-allow-origin"], "*")
      const read = yield* server.send({
        method: "GET",
        path: "/.well-known/oauth-protected-resource/mcp",
        headers: { origin: "https://anyone.example" }
      })
      assert.strictEqual(read.status, 200)
      assert.strictEqual(read.headers["access-control-allow-origin"], "*")
      const rejected = yield* server.send({ headers: { origin: "https://app.example" } })
      assert.strictEqual(rejected.status, 401)
      assert.match(String(rejected.headers["access-control-expose-headers"]), /www-authenticate/i)
      for (const origin of ["https://evil.example", "null"]) {
        for (const method of ["OPTIONS", "POST", "GET", "DELETE"]) {
          const answer = yield* server.send({ method, headers: { ...preflight, origin } })
          assert.strictEqual(answer.status, 403)
          assert.notProperty(answer.headers, "access-control-allow-credentials")
          assert.notStrictEqual(answer.headers["access-control-allow-origin"], origin)
        }
      }
      // The gate answers a preflight of an allowed origin itself, without authentication.
      const own = yield* server.send({ method: "OPTIONS", headers: preflight })
      assert.deepStrictEqual([own.status, own.headers["access-control-allow-origin"]], [204, "https://app.example"])
    }))

  it.effect("T-HTTP-09 rejects a foreign origin before anything else", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
      for (const origin of ["http://evil.example", "null", "http://127.0.0.1:1", `${server.origin}.evil.example`]) {
        const answer = yield* server.call("list_todos", { ...bearer(token), origin })
        assert.strictEqual(answer.status, 403)
        assert.isEmpty(answer.challenges)
      }
      assert.deepStrictEqual(yield* server.issuer.requests, [])
      assert.isTrue(server.decisions.every(({ reason }) => reason === "origin"))
      // DNS rebinding: the `Host` header names the attacker's host, and so does the `Origin` header, if the browser sends it.
      for (const more of [{}, { origin: "http://evil.example" }, { origin: server.origin }]) {
        const answer = yield* server.call("list_todos", { ...bearer(token), ...more, host: "evil.example" })
        assert.strictEqual(answer.status, 403)
        assert.isEmpty(answer.challenges)
        assert.strictEqual(server.decisions.at(-1)?.reason, "foreign-host")
      }
      assert.deepStrictEqual(yield* server.issuer.requests, [])
      resultOf(yield* server.call("list_todos", { ...bearer(token), origin: server.origin }))
    }))

  it.effect("T-HTTP-12 does not read the body of an unauthenticated request", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const size = 100 * 1024 * 1024
      const chunk = Buffer.alloc(64 * 1024, 0x20)
      const flood = (head: string, framed: boolean) =>
        Effect.callback<{ readonly answer: string; readonly sent: number }>((resume) => {
          const socket = connect(server.port, "127.0.0.1")
          let answer = ""
          let sent = 0
          const done = () => {
            socket.destroy()
            resume(Effect.succeed({ answer, sent }))
          }
          const more = () => {
            while (!socket.destroyed && sent < size) {
              sent += chunk.length
              const bytes = framed ? Buffer.concat([Buffer.from("10000\r\n"), chunk, Buffer.from("\r\n")]) : chunk
              if (!socket.write(bytes)) return
            }
          }
          socket.on("data", (data) => (answer += data.toString("latin1")))
          socket.on("drain", more).on("close", done).on("error", done)
          socket.write(head)
          more()
        })
      const head = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
      for (
        const [more, framed] of [[`Content-Length: ${size}\r\n\r\n`, false], [
          "Transfer-Encoding: chunked\r\n\r\n",
          true
        ]] as const
      ) {
        const { answer, sent } = yield* flood(`${head}${more}`, framed)
        assert.match(answer, /^HTTP\/1\.1 401 /)
        assert.isBelow(sent, size / 4)
      }
      // A body that arrives slowly does not delay the response.
      const slow = yield* server.raw(`${head}Content-Length: 1000000\r\n\r\n{`, (_) => _.includes("\r\n\r\n"))
      assert.match(slow, /^HTTP\/1\.1 401 /)
      assert.isBelow(server.bytesOfBodies(), size / 4)
      // If the token is good, the gate reads the body, up to a limit of 4 MiB.
      const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
      const large = yield* server.send({
        headers: { ...messageHeaders("tools/call", "list_todos"), ...bearer(token) },
        body: `${body.slice(0, -1)},"x":"${"y".repeat(5 * 1024 * 1024)}"}`
      })
      assert.strictEqual(large.status, 413)
    }))
})
