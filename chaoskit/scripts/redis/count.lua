-- CURSOR COUNT PATTERN: counts the keys that match, without ours.
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[3], 'COUNT', 1000)
local found = 0
for _, key in ipairs(page[2]) do
  if string.sub(key, 1, 9) ~= 'chaoskit:' then found = found + 1 end
end
return page[1] .. ' ' .. found
