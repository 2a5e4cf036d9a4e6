-- CURSOR COUNT SAVED WHAT: counts the keys that are `poisoned`, or all whose values are `saved`.
-- include mark.lua
local page = redis.call('SCAN', ARGV[1], 'MATCH', saved .. '*', 'COUNT', 1000)
local found = 0
for _, old in ipairs(page[2]) do
  if ARGV[4] == 'saved' or poisoned(string.sub(old, #saved + 1)) then found = found + 1 end
end
return page[1] .. ' ' .. found
