/** One server for each way in which the adapters read a body. A test sets the limits, and sends the body piece by piece. */
import { serve } from "@hono/node-server"
import { Effect, Layer, Logger, type Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { McpProtocol } from "effect/ai"
import express from "express"
import { createServer, type RequestListener, type Server } from "node:http"
import { type AddressInfo, connect } from "node:net"
import * as Host from "../Host.ts"
import { makeIssuer } from "../hosts/Host.ts"
import * as workers from "../hosts/workers.ts"

export interface Limits {
  readonly maximumBody?: number
  readonly bodyTimeout?: string
}

/** A request whose head has been sent. The test sends the body. */
export interface Begun {
  /** Sends a piece of the body. Resolves when the socket or stream has taken it. */
  readonly write: (piece: string) => Promise<void>
  readonly end: (piece: string) => void
  /** The status, and whether the server then closes the connection. Without a connection, `closes` is missing. */
  readonly answer: Promise<{ readonly status: number; readonly closes?: boolean }>
  /** How often the server requested more of the body. 0 over a socket, where this cannot be counted. */
  readonly pulls: () => number
}

export interface Running {
  /** Begins a request. The function `trickle` of the result sends `chunks` pieces of one byte each, without delays. */
  readonly begin: (
    others?: ReadonlyArray<readonly [string, string]>
  ) => Begun & { readonly trickle: (chunks: number) => Promise<void> }
  readonly stop: () => Promise<void>
}

const resource = "https://server.test/mcp"
const caller = { subject: "alice", scopes: ["todos:read"], resource } as const

const headers = [
  ["authorization", "Bearer token"],
  ["content-type", "application/json"],
  ["accept", "application/json, text/event-stream"],
  ["mcp-protocol-version", "2026-07-28"],
  ["mcp-method", "ping"]
] as const

/** Sends requests to a function from `Request` to `Response`. */
const overFetch = (
  handle: (request: Request) => Promise<Response>,
  stop: () => Promise<void>
): Running => ({
  begin: (others = []) => {
    let pulls = 0
    let controller!: ReadableStreamDefaultController<Uint8Array>
    let pulled = () => {}
    const body = new ReadableStream<Uint8Array>({
      start: (_) => {
        controller = _
      },
      pull: () => {
        pulls++
        pulled()
      }
    }, { highWaterMark: 0 })
    const answer = handle(
      new Request(
        resource,
        {
          method: "POST",
          headers: [...headers, ...others].map(([...line]) => line),
          body,
          duplex: "half"
        } as RequestInit
      )
    ).then(({ status }) => ({ status }))
    const enqueue = (piece: Uint8Array) => {
      try {
        controller.enqueue(piece)
      } catch {
        // The gate has cancelled the stream, since it no longer needs the body.
      }
    }
    const next = () => new Promise<void>((resolve) => (pulled = resolve))
    let waiting = next()
    const write = async (piece: Uint8Array) => {
      await waiting
      waiting = next()
      enqueue(piece)
    }
    return {
      answer,
      pulls: () => pulls,
      write: (piece) => write(new TextEncoder().encode(piece)),
      end: (piece) => {
        enqueue(new TextEncoder().encode(piece))
        controller.close()
      },
      trickle: async (chunks) => {
        for (let count = 0; count < chunks; count++) await write(Uint8Array.of(0x20))
        await waiting
      }
    }
  },
  stop
})

/** Sends chunked bodies over a socket. `closesUnsaid`: whether the server closes the connection without `Connection: close`. */
const overSocket = (
  port: number,
  stop: () => Promise<void>,
  always: ReadonlyArray<readonly [string, string]> = [],
  closesUnsaid = false
): Running => ({
  begin: (others = []) => {
    const socket = connect(port, "127.0.0.1")
    const lines = [...headers, ["host", "server.test"], ["transfer-encoding", "chunked"], ...always, ...others]
    socket.write(`POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`)
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()))
    const answer = new Promise<{ status: number; closes: boolean }>((resolve, reject) => {
      let received = ""
      socket.on("data", async (data) => {
        received += data.toString("latin1")
        const head = received.replace(/^HTTP\/1\.1 100 [^]*?\r\n\r\n/, "")
        if (head === "") return
        const closes = closesUnsaid || /^connection: close$/im.test(head)
        if (closes) await closed
        socket.destroy()
        resolve({ status: Number(head.split(" ")[1]), closes })
      })
      socket.once("error", reject)
    })
    const write = (text: string) => new Promise<void>((resolve) => socket.write(text, () => resolve()))
    const chunk = (piece: string) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`
    return {
      answer,
      pulls: () => 0,
      write: (piece) => write(chunk(piece)),
      end: (piece) => void write(`${chunk(piece)}0\r\n\r\n`),
      trickle: (chunks) => write(chunk(" ").repeat(chunks))
    }
  },
  stop
})

const listening = async (listener: RequestListener, dispose: () => Promise<void>): Promise<Running> => {
  const server = await new Promise<Server>((resolve) => {
    const made = createServer(listener).listen(0, "127.0.0.1", () => resolve(made))
  })
  return overSocket((server.address() as AddressInfo).port, async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await dispose()
  })
}

const effectServer = ({ bodyTimeout }: Limits) =>
  McpAuth.layerHttp({
    name: "server",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    bodyTimeout: bodyTimeout as "1 second" | undefined
  }).pipe(Layer.provide(AuthLayer.mock(caller)))

const inScope = async (start: Effect.Effect<(stop: () => Promise<void>) => Running, unknown, Scope.Scope>) => {
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => (stop = resolve))
  let ended!: Promise<void>
  const running = await new Promise<Running>((resolve, reject) => {
    ended = Effect.runPromise(
      Effect.scoped(Effect.gen(function*() {
        const make = yield* start
        resolve(make(async () => {
          stop()
          await ended
        }))
        yield* Effect.promise(() => stopped)
      })).pipe(Effect.provide(Logger.layer([]))) as Effect.Effect<void>
    ).catch(reject) as Promise<void>
  })
  return running
}

type Start = (limits: Limits) => Promise<Running>

/** Starts a server in workerd. It runs in a separate process, so a test cannot measure its memory. */
export const workerd: Start = async (limits) => {
  const server = { kind: "mock", options: { subject: "alice", scopes: ["todos:read"], resource }, limits } as const
  const [worker] = await workers.start([server], (await makeIssuer()).client)
  return overSocket(worker!.port, worker!.stop, [], true)
}

export const hosts: Readonly<Record<string, Start>> = {
  "Effect, web handler": (limits) =>
    inScope(Effect.map(
      Host.webHandler(effectServer(limits)),
      (handle) => (stop) => overFetch((request) => Effect.runPromise(handle(request)), stop)
    )),
  "Effect, socket": (limits) =>
    inScope(Effect.map(Host.listen(effectServer(limits)), (port) => (stop) => overSocket(port, stop))),
  "Effect, socket, after 100 Continue": (limits) =>
    inScope(Effect.map(
      Host.listen(effectServer(limits)),
      (port) => (stop) => overSocket(port, stop, [["expect", "100-continue"]])
    )),
  "node:http": async (limits) => {
    const auth = await McpAuthNode.mock(caller)
    const guard = auth.protect(limits as object)
    return listening(async (req, res) => {
      if (await guard(req, res) !== undefined) res.end("ran")
    }, auth.dispose)
  },
  "Express": async (limits) => {
    const auth = await McpAuthNode.mock(caller)
    const app = express()
    app.use(auth.protect(limits as object), (_, res) => void res.end("ran"))
    return listening(app, auth.dispose)
  },
  "fetch": async (limits) => {
    const auth = await McpAuthFetch.mock(caller)
    return overFetch(auth.protect(() => new Response("ran"), limits as object), auth.dispose)
  },
  "@hono/node-server": async (limits) => {
    const auth = await McpAuthFetch.mock(caller)
    const server = await new Promise<Server>((resolve) => {
      const made: unknown = serve(
        { fetch: auth.protect(() => new Response("ran"), limits as object), port: 0, hostname: "127.0.0.1" },
        () => resolve(made as Server)
      )
    })
    return overSocket((server.address() as AddressInfo).port, async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await auth.dispose()
    })
  },
  "SDK v1 on Express": async (limits) => {
    const auth = await SdkV1.mock({ ...caller, ...limits as object })
    const app = express()
    app.use(auth.protect(() => undefined), (_, res) => void res.end("ran"))
    return listening(app, auth.dispose)
  },
  "SDK v1 on the web transport": async (limits) => {
    const auth = await SdkV1.mock({ ...caller, ...limits as object })
    return overFetch(auth.protectFetch(() => undefined, () => new Response("ran")), auth.dispose)
  },
  "SDK v2, protectFetch": async (limits) => {
    const auth = await SdkV2.mock({ ...caller, ...limits as object })
    return overFetch(auth.protectFetch(() => undefined, () => new Response("ran")), auth.dispose)
  },
  "SDK v2, createMcpHandler": async (limits) => {
    const auth = await SdkV2.mock({ ...caller, ...limits as object })
    const { McpServer } = await import("@modelcontextprotocol/server")
    const { fetch } = auth.createMcpHandler(() => new McpServer({ name: "server", version: "1.0.0" }))
    return overFetch((request) => fetch(request), auth.dispose)
  }
}
