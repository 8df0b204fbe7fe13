-- Reading the fields of a message. Positions count from 1, as Lua does; need
-- is the position of the last byte that must be there before it is worth
-- looking again, or nil: at least one more. It is exact where the message ends
-- with that byte.

local LINE_LIMIT = 8 * 1024 * 1024
local MESSAGE_LIMIT = 16 * 1024 * 1024
local LARGEST = "18446744073709551615"

local function number_text(n) return string.format("%.0f", n) end

local function short(d, need)
  d.short, d.need, d.exact = true, need, false
  return false
end

local function bad(d, at, reason, ...)
  d.short, d.where, d.reason = false, at, string.format(reason, ...)
  return false
end

-- quoted makes any bytes one short line.
local function quoted(text)
  text = string.gsub(string.sub(text, 1, 60), "[^\32-\126]", function(c)
    return string.format("\\x%02x", string.byte(c))
  end)
  return '"' .. text .. '"'
end

local function fixed_number(d, f, v)
  local width = f.width
  if d.stop - d.at + 1 < width then return short(d, d.at + width - 1) end
  local high, low = 0, 0
  for i = 1, width do
    -- From the most significant byte; the last four are the low half.
    local octet = string.byte(d.b, f.little and d.at + width - i or d.at + i - 1)
    if i <= width - 4 then high = high * 256 + octet else low = low * 256 + octet end
  end
  d.at = d.at + width
  v.high, v.low, v.n = high, low, high * 4294967296.0 + low -- a float: integers of 64 bits would wrap
  return true
end

local function varint(d, f, v)
  local sums, shift = { 0, 0, 0 }, 0 -- of 28, 28 and 8 bits: no sum gets imprecise
  for i = 0, 9 do
    if d.at > d.stop then return short(d, d.at) end
    local octet = string.byte(d.b, d.at)
    if i == 9 and octet > 1 then return bad(d, v.at, "%s does not fit 64 bits", f.name) end
    d.at = d.at + 1
    local k = math.floor(i / 4) + 1
    if i % 4 == 0 then shift = 1 end
    sums[k] = sums[k] + (octet % 128) * shift
    shift = shift * 128
    if octet < 128 then break end
  end
  v.low = sums[1] + (sums[2] % 16) * 268435456
  v.high = math.floor(sums[2] / 16) + sums[3] * 16777216
  v.n = v.high * 4294967296.0 + v.low
  return true
end

local function digits(d, f, v)
  local text
  if f.size then
    if d.stop - d.at + 1 < f.size then return short(d, d.at + f.size - 1) end
    text = string.sub(d.b, d.at, d.at + f.size - 1)
    d.at = d.at + f.size
  else
    local first, last = string.find(d.b, f.terminator, d.at, true)
    if first and last > d.stop then first = nil end
    local length = d.stop - d.at + 1
    if not first and length < 20 + #f.terminator then
      -- What has come of the terminator is no digit, and no mistake either.
      local come = string.sub(d.b, d.at, d.stop)
      while #come > 0 and string.find(f.terminator, string.sub(come, -1), 1, true) do
        come = string.sub(come, 1, -2)
      end
      if not string.find(come, "[^0-9 ]") then return short(d) end
    end
    if not first or first - d.at > 20 then return bad(d, v.at, "%s is no number in digits", f.name) end
    text = string.sub(d.b, d.at, first - 1)
    d.at = last + 1
  end
  local number = string.match(text, "^ *(%d+) *$")
  number = number and string.gsub(number, "^0+(%d)", "%1")
  if not number or #number > #LARGEST or #number == #LARGEST and number > LARGEST then
    return bad(d, v.at, "%s is no number in digits: %s", f.name, quoted(text))
  end
  v.s, v.n = number, tonumber(number)
  return true
end

-- exact is a number in decimal digits; those beyond 2^53 are no plain numbers
-- in every Lua.
local function exact(v)
  if not v.s then
    v.s = v.n < 9007199254740992 and number_text(v.n) or tostring(UInt64.new(v.low, v.high))
  end
  return v.s
end

local function plain_xor(a, b)
  local sum, place = 0, 1
  while a > 0 or b > 0 do
    if a % 2 ~= b % 2 then sum = sum + place end
    a, b, place = math.floor(a / 2), math.floor(b / 2), place * 2
  end
  return sum
end

-- xor is the one of a library, where there is one, or the operator of newer
-- Luas, which older ones cannot even read.
local function xor()
  local library = bit32 or bit
  if library then return library.bxor end
  local ok, native = pcall(load, "return function(a, b) return a ~ b end")
  return ok and native and native() or plain_xor
end

local bxor, crc32_table

local function crc32(text)
  bxor = bxor or xor()
  if not crc32_table then
    crc32_table = {}
    for i = 0, 255 do
      local c = i
      for _ = 1, 8 do
        local half = math.floor(c / 2)
        c = c % 2 == 1 and bxor(half, 0xedb88320) % 4294967296 or half
      end
      crc32_table[i] = c
    end
  end
  local c = 0xffffffff
  for i = 1, #text do
    local index = bxor(c % 256, string.byte(text, i)) % 256
    c = bxor(math.floor(c / 256), crc32_table[index]) % 4294967296
  end
  return 0xffffffff - c
end

local function crc16(text)
  bxor = bxor or xor()
  local c = 0xffff
  for i = 1, #text do
    c = bxor(c, string.byte(text, i) * 256) % 65536
    for _ = 1, 8 do
      local twice = c * 2
      c = twice >= 65536 and bxor(twice % 65536, 0x1021) % 65536 or twice
    end
  end
  return c
end

local sums = { crc16 = crc16, crc32 = crc32 }

local function read_number(d, f, v)
  local ok
  if f.type == "varint" then
    ok = varint(d, f, v)
  elseif f.type == "digits" then
    ok = digits(d, f, v)
  else
    ok = fixed_number(d, f, v)
  end
  if not ok then return false end
  if f.constant and exact(v) ~= f.constant then
    return bad(d, v.at, "%s is %s and not %s", f.name, exact(v), f.constant)
  end
  if sums[f.type] then
    local want = sums[f.type](string.sub(d.b, d.begin, v.at - 1))
    if v.n ~= want then
      return bad(d, v.at, "%s is 0x%s, and the bytes before it give 0x%s", f.name,
        string.format("%x", v.n), string.format("%x", want))
    end
  end
  return true
end

-- count is the size of a text or the number of entries of a list.
local function count(d, f)
  if f.size_from then return d.values[d.base + f.size_from].n end
  return f.size or 0
end

local function read_text(d, f, v)
  if f.rest then
    d.at = d.stop + 1
  elseif f.terminator then
    local first, last = string.find(d.b, f.terminator, d.at, true)
    if first and last > d.stop then first = nil end
    if not first and d.stop - d.at + 1 > LINE_LIMIT then
      return bad(d, d.at, "%s does not end within 8 MiB", f.name)
    end
    if not first then return short(d) end
    v.size = first - d.at
    d.at = last + 1
    return true
  else
    local size = count(d, f)
    if size > d.stop - d.at + 1 then return short(d, d.at + size - 1) end
    d.at = d.at + size
  end
  v.size = d.at - v.at
  if f.constant then
    local text = string.sub(d.b, v.at, d.at - 1)
    if text ~= f.constant then return bad(d, v.at, "%s is %s and not %s", f.name, quoted(text), quoted(f.constant)) end
  end
  if f.type == "json" then
    local value, reason = parse_json(string.sub(d.b, v.at, d.at - 1))
    if not value then return bad(d, v.at, "this is no JSON: %s", reason) end
    v.json = value
  end
  return true
end

local read_fields

-- read_list takes memory only for entries that have come: each has a byte.
local function read_list(d, f, v)
  local n = count(d, f)
  v.entries = {}
  local i = 0
  while i < n do
    local inner = { b = d.b, at = d.at, stop = d.stop, begin = d.begin, base = 0, values = {} }
    local ok = read_fields(inner, f.fields)
    d.at = inner.at
    if not ok then
      d.short, d.where, d.reason = inner.short, inner.where, inner.reason
      d.need = inner.short and math.max(inner.need or 0, d.at + n - i - 1) or nil
      return false
    end
    i = i + 1
    v.entries[i] = inner.values
  end
  return true
end

-- read_fields adds the values of fields to d.values, or returns false: then
-- d.short says that more bytes are needed, or d.reason what is wrong.
function read_fields(d, fields)
  for i = 1, #fields do
    local f = fields[i]
    local v = { field = f, at = d.at }
    local ok
    if f.fields then
      ok = read_list(d, f, v)
    elseif f.width or f.type == "varint" or f.type == "digits" then
      ok = read_number(d, f, v)
    else
      ok = read_text(d, f, v)
    end
    if not ok then
      d.exact = d.short and d.need and i == #fields and not f.fields
      return false
    end
    v.size = v.size or d.at - v.at
    d.values[#d.values + 1] = v
  end
  return true
end
