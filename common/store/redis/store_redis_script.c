/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_redis_script.c - numbers are compared as texts: a version has more digits than Lua's numbers hold.
 *
 * The index of a user, a sorted set of sessions by the time at which they go, drops what has gone and
 * lives as long as its last session.
 */
#include "common/store/redis/store_redis_script.h"

#define TOOLS \
    "local function later(a, b)\n" \
    "  return #a > #b or (#a == #b and a > b)\n" \
    "end\n" \
    "local function live(key, till)\n" \
    "  if till == '0' or till == 'inf' then\n" \
    "    redis.call('PERSIST', key)\n" \
    "  else\n" \
    "    redis.call('PEXPIREAT', key, till)\n" \
    "  end\n" \
    "end\n" \
    /* Of the life that the key has and the other one. */ \
    "local function longer(key, till)\n" \
    "  local left = redis.call('PTTL', key)\n" \
    "  if left < 0 or till == '0' then return '0' end\n" \
    "  local now = redis.call('TIME')\n" \
    "  local had = string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000) + left)\n" \
    "  return later(had, till) and had or till\n" \
    "end\n" \
    "local function enter(list, id, till)\n" \
    "  local now = redis.call('TIME')\n" \
    "  redis.call('ZADD', list, till == '0' and '+inf' or till, id)\n" \
    "  redis.call('ZREMRANGEBYSCORE', list, '-inf',\n" \
    "    string.format('(%s%03d', now[1], math.floor(now[2] / 1000)))\n" \
    "  local last = redis.call('ZRANGE', list, -1, -1, 'WITHSCORES')\n" \
    "  if last[2] then live(list, last[2]) end\n" \
    "end\n"

#define WORDS "local kind, prefix, id, access, expires = unpack(ARGV, 1, 5)\n"

#define WITH_INDEX \
    "local function index(user)\n" \
    "  if user and user ~= '' then enter(prefix .. '@user:' .. user, id, expires) end\n" \
    "end\n" \
    "local function remove(user)\n" \
    "  redis.call('ZREM', prefix .. '@user:' .. user, id)\n" \
    "end\n" \
    "local function touched() return 1 end\n"

#define WITHOUT_INDEX \
    "local function index() end\n" \
    "local function remove() end\n" \
    "local function touched(user)\n" \
    "  return user and user ~= '' and user or 1\n" \
    "end\n"

#define CHANGE \
    "local key = KEYS[1]\n" \
    "local row = redis.call('HMGET', key, '@version', '@last_access', '@user', '@ended')\n" \
    "local had, seen, owner = row[1], row[2], row[3]\n" \
    "if kind == 'touch' then\n" \
    "  if not had then return 0 end\n" \
    "  if row[4] == '1' then return 1 end\n" \
    "  if later(access, seen) then\n" \
    "    redis.call('HSET', key, '@last_access', access)\n" \
    "    index(owner)\n" \
    "    live(key, expires)\n" \
    "  end\n" \
    "  return touched(owner)\n" \
    "end\n" \
    "local version, expected, user, ended = unpack(ARGV, 6, 9)\n" \
    "if expected == 'none' then\n" \
    "  if had then return 2 end\n" \
    "elseif expected ~= '0' then\n" \
    "  if had ~= expected then return 2 end\n" \
    "elseif had and not later(version, had) then\n" \
    "  return 3\n" \
    "end\n" \
    "if seen and later(seen, access) then\n" \
    "  access = seen\n" \
    "  if ended ~= '1' then expires = longer(key, expires) end\n" \
    "end\n" \
    /* The first write: without memory it is refused, and nothing has changed yet. */ \
    "redis.call('HSET', key, '@version', version)\n" \
    "redis.call('DEL', key)\n" \
    "redis.call('HSET', key, '@version', version, '@last_access', access, '@user', user, '@ended', ended)\n" \
    "for at = 10, #ARGV, 1000 do\n" \
    "  redis.call('HSET', key, unpack(ARGV, at, math.min(at + 999, #ARGV)))\n" \
    "end\n" \
    "if owner and owner ~= '' and owner ~= user then remove(owner) end\n" \
    "index(user)\n" \
    "live(key, expires)\n" \
    "return 1\n"

const char sf_redis_script[] = TOOLS WORDS WITH_INDEX CHANGE;
const char sf_redis_cluster_script[] = TOOLS WORDS WITHOUT_INDEX CHANGE;

const char sf_redis_cache_script[] =
    "local ticket = redis.call('GETRANGE', KEYS[1], 1, 8)\n"
    "if ticket == '' then return 0 end\n"
    "if ticket ~= ARGV[1] then return 2 end\n"
    "if #ARGV > 1 then\n"
    "  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
    "else\n"
    "  redis.call('DEL', KEYS[1])\n"
    "end\n"
    "return 1\n";

const char sf_redis_index_script[] =
    TOOLS
    "local list, id, till = KEYS[1], ARGV[1], ARGV[2]\n"
    "local had = ARGV[3] == '0' and redis.call('ZSCORE', list, id)\n"
    "if had and (had == 'inf' or (till ~= '0' and later(had, till))) then\n"
    "  till = had == 'inf' and '0' or had\n"
    "end\n"
    "enter(list, id, till)\n"
    "return 1\n";
