-- JSON, read as strictly as the standard says. A value is a table: t is its
-- kind; v a text, or a number or a word as it was written; items, keys and map
-- what is in a list or an object.

local DEPTH_LIMIT = 200
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8_text(rune)
  if rune < 0x80 then return string.char(rune) end
  if rune < 0x800 then return string.char(0xc0 + math.floor(rune / 64), 0x80 + rune % 64) end
  if rune < 0x10000 then
    return string.char(0xe0 + math.floor(rune / 4096), 0x80 + math.floor(rune / 64) % 64, 0x80 + rune % 64)
  end
  return string.char(0xf0 + math.floor(rune / 262144), 0x80 + math.floor(rune / 4096) % 64,
    0x80 + math.floor(rune / 64) % 64, 0x80 + rune % 64)
end

-- decode_rune is the character at i and how many bytes it has; what is no
-- UTF-8 is U+FFFD, one byte at a time.
local function decode_rune(s, i)
  local a, b, c, e = string.byte(s, i, i + 3)
  if a < 0x80 then return a, 1 end
  local function follows(x) return x and x >= 0x80 and x < 0xc0 end
  if a >= 0xc2 and a < 0xe0 and follows(b) then
    return (a - 0xc0) * 64 + b - 0x80, 2
  elseif a >= 0xe0 and a < 0xf0 and follows(b) and follows(c) then
    local rune = (a - 0xe0) * 4096 + (b - 0x80) * 64 + c - 0x80
    if rune >= 0x800 and (rune < 0xd800 or rune > 0xdfff) then return rune, 3 end
  elseif a >= 0xf0 and a < 0xf5 and follows(b) and follows(c) and follows(e) then
    local rune = (a - 0xf0) * 262144 + (b - 0x80) * 4096 + (c - 0x80) * 64 + e - 0x80
    if rune >= 0x10000 and rune <= 0x10ffff then return rune, 4 end
  end
  return 0xfffd, 1
end

-- valid_utf8 replaces what is no UTF-8.
local function valid_utf8(s)
  if not string.find(s, "[\128-\255]") then return s end
  local out, i = {}, 1
  while i <= #s do
    local rune, n = decode_rune(s, i)
    out[#out + 1] = rune == 0xfffd and n == 1 and "\239\191\189" or string.sub(s, i, i + n - 1)
    i = i + n
  end
  return table.concat(out)
end

local function json_hex(s, i)
  local hex = string.match(s, "^%x%x%x%x", i)
  return hex and tonumber(hex, 16)
end

-- json_string reads a text; i is behind the first quote.
local function json_string(s, i)
  local out = {}
  while true do
    local j = string.find(s, '[%z\1-\31"\\]', i)
    if not j then return nil, "a text does not end" end
    out[#out + 1] = valid_utf8(string.sub(s, i, j - 1))
    local c = string.sub(s, j, j)
    if c == '"' then return table.concat(out), j + 1 end
    if c ~= "\\" then return nil, "a control character within a text" end
    c = string.sub(s, j + 1, j + 1)
    if ESCAPES[c] then
      out[#out + 1] = ESCAPES[c]
      i = j + 2
    elseif c == "u" and json_hex(s, j + 2) then
      local rune = json_hex(s, j + 2)
      i = j + 6
      if rune >= 0xd800 and rune < 0xe000 then
        local second = rune < 0xdc00 and string.sub(s, i, i + 1) == "\\u" and json_hex(s, i + 2)
        if second and second >= 0xdc00 and second < 0xe000 then
          rune = 0x10000 + (rune - 0xd800) * 1024 + second - 0xdc00
          i = i + 6
        else
          rune = 0xfffd
        end
      end
      out[#out + 1] = utf8_text(rune)
    else
      return nil, "an escape that JSON does not have"
    end
  end
end

local function json_space(s, i) return string.find(s, "[^ \t\r\n]", i) or #s + 1 end

local json_value

-- json_members reads what stands between the brackets of a list or an object.
local function json_members(s, i, value, closing, depth)
  local is_object = closing == "}"
  i = json_space(s, i)
  if string.sub(s, i, i) == closing then return value, i + 1 end
  while true do
    local key
    if is_object then
      i = json_space(s, i)
      if string.sub(s, i, i) ~= '"' then return nil, "a key is a text" end
      local after
      key, after = json_string(s, i + 1)
      if not key then return nil, after end
      i = json_space(s, after)
      if string.sub(s, i, i) ~= ":" then return nil, "a colon is missing" end
      i = i + 1
    end
    local item, after = json_value(s, i, depth + 1)
    if not item then return nil, after end
    if is_object then
      if not value.map[key] then value.keys[#value.keys + 1] = key end
      value.map[key] = item
    else
      value.items[#value.items + 1] = item
    end
    i = json_space(s, after)
    local c = string.sub(s, i, i)
    if c == closing then return value, i + 1 end
    if c ~= "," then return nil, "a comma is missing" end
    i = i + 1
  end
end

-- json_value reads one value: it and the position behind it, or nil and a
-- reason.
function json_value(s, i, depth)
  if depth > DEPTH_LIMIT then return nil, "it is nested too deeply" end
  i = json_space(s, i)
  local c = string.sub(s, i, i)
  if c == '"' then
    local text, after = json_string(s, i + 1)
    if not text then return nil, after end
    return { t = "text", v = text }, after
  elseif c == "{" then
    return json_members(s, i + 1, { t = "object", keys = {}, map = {} }, "}", depth)
  elseif c == "[" then
    return json_members(s, i + 1, { t = "array", items = {} }, "]", depth)
  end
  for _, word in ipairs({ "true", "false", "null" }) do
    if string.sub(s, i, i + #word - 1) == word then return { t = "word", v = word }, i + #word end
  end
  local number = string.match(s, "^%-?%d+", i)
  if not number or string.find(number, "^%-?0%d") then return nil, "no value begins here" end
  local after = i + #number
  for _, more in ipairs({ "^%.%d+", "^[eE][+-]?%d+" }) do
    local part = string.match(s, more, after)
    after = after + (part and #part or 0)
  end
  return { t = "number", v = string.sub(s, i, after - 1) }, after
end

local function parse_json(s)
  local value, after = json_value(s, 1, 0)
  if not value then return nil, after end
  if json_space(s, after) <= #s then return nil, "something follows the value" end
  return value
end

local function json_quote(s)
  s = string.gsub(s, '[%z\1-\31"\\<>&]', function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    for name, char in pairs(ESCAPES) do
      if char == c then return "\\" .. name end
    end
    return string.format("\\u%04x", string.byte(c))
  end)
  return '"' .. s .. '"'
end

-- json_text writes a value without blanks, its keys in order.
local function json_text(value)
  local parts = {}
  if value.t == "text" then return json_quote(value.v) end
  if value.t == "object" then
    local keys = {}
    for i, key in ipairs(value.keys) do keys[i] = key end
    table.sort(keys)
    for i, key in ipairs(keys) do parts[i] = json_quote(key) .. ":" .. json_text(value.map[key]) end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif value.t == "array" then
    for i, item in ipairs(value.items) do parts[i] = json_text(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  return value.v
end

-- json_plain is a value as a parameter has it: a text or a list of texts.
local function json_plain(value)
  if value.t == "text" then return value.v end
  if value.t ~= "array" then return json_text(value) end
  local list = {}
  for i, item in ipairs(value.items) do list[i] = json_plain(item) end
  return list
end
