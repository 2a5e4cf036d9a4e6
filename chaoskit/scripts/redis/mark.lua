-- What a poisoned value holds: not UTF-8, not JSON, not a number, and found again by its middle.
local saved, mark = ARGV[3], '\255\254{' .. ARGV[3]
local function kind_of(key) return redis.call('TYPE', key)['ok'] end
local function has(list) for _, one in ipairs(list) do if one == mark then return true end end end
local function poisoned(key)
  local kind = kind_of(key)
  if kind == 'string' then return redis.call('GET', key) == mark end
  if kind == 'list' then return has(redis.call('LRANGE', key, 0, -1)) end
  if kind == 'set' then return redis.call('SISMEMBER', key, mark) == 1 end
  if kind == 'zset' then return redis.call('ZSCORE', key, mark) ~= false end
  if kind == 'hash' then return has(redis.call('HVALS', key)) end
  if kind == 'stream' then
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      if has(entry[2]) then return true end
    end
  end
  return false
end
