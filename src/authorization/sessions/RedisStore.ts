/**
 * Stores the owners of sessions in Redis.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Redis } from "effect/persistence/Redis"
import { SessionStoreUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as RedisClient from "../../store/RedisClient.ts"
import type { SessionAccess } from "../Sessions.ts"
import { limits, type MemoryOptions } from "./MemoryStore.ts"
import type { Session, Store } from "./Store.ts"

/**
 * Configures the store in Redis.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisOptions extends MemoryOptions {
  /** How long a session is kept after its last use, from 1 second to 365 days. Default: 1 day. */
  readonly idle?: Duration.Input | undefined
  /**
   * The prefix of the keys in Redis. The part in braces keeps all keys on one node of a Redis Cluster. Default:
   * `{effect-mcp-auth:sessions}:`.
   */
  readonly prefix?: string | undefined
}

/**
 * Stores the owners of sessions in Redis, for all instances of a server. Runs one script per operation. Redis expires the entries.
 * Throws `AuthConfigError` if an option is invalid, or if `redis` is not a Redis of `effect/persistence`.
 *
 * **Gotchas**
 *
 * Redis must allow `EVAL` (Redis 5 or newer), and must not evict entries before they expire: set `maxmemory-policy noeviction`. If
 * Redis loses its data, all sessions end, and clients open new ones.
 *
 * @category stores
 * @since 0.1.0
 */
export const redis = (redis: Pick<Redis["Service"], "send">, options: RedisOptions = {}): Store => {
  ConfigOption.check(options, "SessionStore.redis", table)
  RedisClient.check(redis, "SessionStore.redis")
  return make(redis, options)
}

const table = {
  ...limits,
  idle: ConfigOption.duration("1 second", "365 days", "1 day"),
  prefix: ConfigOption.withDefault<string>(
    "{effect-mcp-auth:sessions}:",
    (_) => typeof _ === "string" && _ !== "",
    "text"
  )
} satisfies ConfigOption.Table<keyof RedisOptions>

const down = Effect.fail(new SessionStoreUnavailable({ reason: "session-store-down", retryAfter: 1 }))

/** The access for each number that the script returns. */
const answers: ReadonlyArray<SessionAccess> = ["foreign", "own", "needs-credentials"]

/** Creates a store. The options are not checked. */
const make = (
  redis: Pick<Redis["Service"], "send">,
  {
    anonymous = table.anonymous.default,
    capacity = table.capacity.default,
    idle = table.idle.default,
    prefix = table.prefix.default
  }: RedisOptions
): Store => {
  const idleMillis = String(Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(idle))))

  /** Runs the script. `read` turns its answer into a result, or returns `undefined` if the script cannot have sent it. */
  const run = <A>(
    read: (answer: unknown) => A | undefined,
    operation: string,
    name: string,
    { groups = [], limit = 1, owner = "" }: Partial<Session> = {}
  ): Effect.Effect<A, SessionStoreUnavailable> =>
    Effect.matchEffect(
      redis.send<unknown>(
        "EVAL",
        script,
        "1",
        prefix,
        operation,
        name,
        idleMillis,
        owner,
        String(owner === "" ? anonymous : limit),
        String(capacity),
        groups.join(" ")
      ),
      {
        onFailure: () => down,
        onSuccess: (answer) => {
          const result = read(answer)
          return result === undefined ? down : Effect.succeed(result)
        }
      }
    )

  const isDone = (answer: unknown) => answer === 1 ? true : undefined

  return {
    open: (session) =>
      run((answer) => answer === 1 || answer === 0 ? answer === 1 : undefined, "open", session.id, session),
    access: (session) => run((answer) => answers[answer as number], "access", session.id, session),
    end: (id) => Effect.asVoid(run(isDone, "end", id)),
    endAll: (group) => Effect.asVoid(run(isDone, "endAll", group))
  }
}

// One script for all operations, because they share how a session is found, kept and removed. Redis runs a script as a whole.
//
// The keys begin with the prefix: `session:<id>` is a hash with the owner, the time of opening and the groups. `owner:<owner>` and
// `all` are the sessions of one owner and of all principals, ordered by their last use. `ended:<group>` is the time at which all
// sessions of a group ended. It is kept for as long as an unused session, so no session that was opened before can outlive it.
//
// Times are those of Redis, in microseconds, so the clocks of the instances do not matter. `clock` is the last time that the script
// used, so that times grow with every run, even if the clock of Redis steps back.
const script = `local prefix, operation, id, idle = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local caller, limit, capacity, groups = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', prefix .. 'clock') or '0')
if now <= last then now = last + 1 end
local at = string.format('%.0f', now)
redis.call('SET', prefix .. 'clock', at, 'PX', idle)
local all = prefix .. 'all'

local function sessionKey(session) return prefix .. 'session:' .. session end
local function ownerKey(owner) return prefix .. 'owner:' .. owner end

local function remove(session, owner)
  redis.call('DEL', sessionKey(session))
  redis.call('ZREM', ownerKey(owner), session)
  redis.call('ZREM', all, session)
end

local function find()
  local found = redis.call('HMGET', sessionKey(id), 'owner', 'opened', 'groups')
  local owner, opened = found[1], tonumber(found[2])
  if not owner then return nil end
  for group in string.gmatch(found[3], '%S+') do
    local ended = redis.call('GET', prefix .. 'ended:' .. group)
    if ended and tonumber(ended) >= opened then
      remove(id, owner)
      return nil
    end
  end
  return owner
end

local function evict(set, most)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', string.format('(%.0f', now - idle * 1000))
  while redis.call('ZCARD', set) > most do
    local oldest = redis.call('ZRANGE', set, 0, 1)
    local session = oldest[1]
    if session == id then session = oldest[2] end
    local owner = redis.call('HGET', sessionKey(session), 'owner')
    redis.call('ZREM', set, session)
    if owner then remove(session, owner) end
  end
end

local function keep()
  redis.call('PEXPIRE', sessionKey(id), idle)
  redis.call('ZADD', ownerKey(caller), at, id)
  redis.call('PEXPIRE', ownerKey(caller), idle)
  evict(ownerKey(caller), limit)
  if caller ~= '' then
    redis.call('ZADD', all, at, id)
    redis.call('PEXPIRE', all, idle)
    evict(all, capacity)
  end
end

local function create()
  redis.call('HSET', sessionKey(id), 'owner', caller, 'opened', at, 'groups', groups)
  keep()
end

if operation == 'endAll' then
  redis.call('SET', prefix .. 'ended:' .. id, at, 'PX', idle)
  return 1
end

local owner = find()
if operation == 'end' then
  if owner then remove(id, owner) end
  return 1
end
if operation == 'open' then
  if not owner then create() elseif owner == caller then keep() else return 0 end
  return 1
end
if not owner then return 0 end
if owner == caller then
  keep()
  return 1
end
if owner == '' then
  remove(id, owner)
  create()
  return 1
end
if caller == '' then return 2 end
return 0`
