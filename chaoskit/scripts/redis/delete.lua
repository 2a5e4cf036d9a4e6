-- CURSOR COUNT PATTERN: deletes the keys that match, without ours.
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[3], 'COUNT', 1000)
local gone = 0
for _, key in ipairs(page[2]) do
  if string.sub(key, 1, 9) ~= 'chaoskit:' then
    gone = gone + redis.call('UNLINK', key)
  end
end
return page[1] .. ' ' .. gone
