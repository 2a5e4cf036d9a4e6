-- CURSOR COUNT SAVED PATTERN HOW MOST: renames the keys that match and puts garbage in their place.
-- include mark.lua
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[4], 'COUNT', 1000)
local how, room, done = ARGV[5], tonumber(ARGV[6]) - tonumber(ARGV[2]), 0
for _, key in ipairs(page[2]) do
  local old = saved .. key
  local kind = kind_of(key)
  if string.sub(key, 1, 9) ~= 'chaoskit:' and kind ~= 'none'
    and done < room and redis.call('EXISTS', old) == 0 then
    local left = redis.call('PTTL', key)
    local fields, length = nil, 1
    if kind == 'hash' then fields = redis.call('HKEYS', key) end
    if kind == 'list' then length = math.min(redis.call('LLEN', key), 100) end
    redis.call('RENAME', key, old)
    if how == 'wrong-type' then
      if kind == 'string' then redis.call('RPUSH', key, mark) else redis.call('SET', key, mark) end
    elseif kind == 'list' then
      for _ = 1, length do redis.call('RPUSH', key, mark) end
    elseif kind == 'set' then redis.call('SADD', key, mark)
    elseif kind == 'zset' then redis.call('ZADD', key, 0, mark)
    elseif kind == 'hash' then
      for _, field in ipairs(fields) do redis.call('HSET', key, field, mark) end
    elseif kind == 'stream' then redis.call('XADD', key, '*', 'chaoskit', mark)
    else redis.call('SET', key, mark) end
    if left > 0 then redis.call('PEXPIRE', key, left) end
    done = done + 1
  end
end
return page[1] .. ' ' .. done
