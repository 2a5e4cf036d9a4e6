-- CURSOR COUNT SAVED: gives the keys that still are poisoned their true values. What the application
-- deleted or wrote again meanwhile is its own.
-- include mark.lua
local page = redis.call('SCAN', ARGV[1], 'MATCH', saved .. '*', 'COUNT', 1000)
local back = 0
for _, old in ipairs(page[2]) do
  local key = string.sub(old, #saved + 1)
  if poisoned(key) then
    redis.call('RENAME', old, key)
    back = back + 1
  else
    redis.call('DEL', old)
  end
end
return page[1] .. ' ' .. back
