/** Starts servers that are programs of the system, such as Redis. They may not be installed. */
import { Effect, Schedule, type Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { connect, createServer } from "node:net"

/**
 * The commands that succeed if a program is installed. Debian's packages install modules of Perl, Python and Ruby for the
 * interpreters in `/usr/bin`.
 */
const probes = {
  "redis-server": ["redis-server", "--version"],
  postgres: ["sh", "-c", "ls /usr/lib/postgresql/*/bin/postgres"],
  nginx: ["nginx", "-v"],
  glewlwyd: ["glewlwyd", "--version"],
  lemonldap: ["/usr/bin/perl", "-MLemonldap::NG::Portal", "-e", "1"],
  "django-oauth-toolkit": ["/usr/bin/python3", "-c", "import oauth2_provider"],
  doorkeeper: ["/usr/bin/ruby", "-e", "require 'rails'; require 'doorkeeper/openid_connect'"]
} as const

/**
 * Tells whether to run the tests that start a program. If the program is not installed, the tests are skipped, and the report
 * names them. With `REQUIRE_REDIS`, `REQUIRE_GLEWLWYD` and so on, which `.ci/run` sets, they fail instead.
 */
export const runs = (program: keyof typeof probes): boolean => {
  const [command, ...args] = probes[program]
  const variable = `REQUIRE_${program.replace("-server", "").replaceAll("-", "_").toUpperCase()}`
  return process.env[variable] !== undefined || spawnSync(command, args).status === 0
}

/** Finds a free port, for servers whose port must be known before they start. */
export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as { readonly port: number }
    server.close(() => resume(Effect.succeed(port)))
  })
})

/**
 * Runs a program until the scope closes, and waits until it listens on its port. If the program exits before it listens, the
 * effect dies.
 */
export const start = (
  program: string,
  args: ReadonlyArray<string>,
  port: number,
  environment: Readonly<Record<string, string>> = {}
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    let output = ""
    const { ended } = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const env = { ...process.env, ...environment }
        const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] })
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => void (output += data))
        const ended = new Promise<string>((resolve) => {
          child.once("error", (error) => resolve(error.message))
          child.once("exit", (code) => resolve(`exit code ${code}`))
        })
        return { child: child as ChildProcess, ended }
      }),
      ({ child, ended }) =>
        Effect.promise(() => {
          child.kill()
          return ended
        })
    )
    const failed = Effect.flatMap(
      Effect.promise(() => ended),
      (how) => Effect.die(new Error(`${program} does not run: ${how}\n${output}`))
    )
    const listens = Effect.callback<void, Error>((resume) => {
      const socket = connect(port, "127.0.0.1")
      socket.once("connect", () => {
        socket.destroy()
        resume(Effect.void)
      })
      socket.once("error", (error) => resume(Effect.fail(error)))
    })
    yield* Effect.raceFirst(
      Effect.orDie(Effect.retry(listens, { schedule: Schedule.spaced("20 millis"), times: 6_000 })),
      failed
    )
  })
