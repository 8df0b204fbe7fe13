-- Where a message ends, and what it is.

-- Each splitter gives where the body of the first message begins and ends, and
-- where the message itself ends; or nothing, with d.short or d.reason.
local splitters = {}

function splitters.line(d, framing)
  local first, last = string.find(d.b, framing.sought, d.start, true)
  if not first then
    if d.stop - d.start + 1 > LINE_LIMIT then return bad(d, d.start, "a line does not end within 8 MiB") end
    return short(d)
  end
  local stop = first - 1
  if framing.any_cr and stop >= d.start and string.byte(d.b, stop) == 13 then stop = stop - 1 end
  return d.start, stop, last
end

function splitters.length(d, framing)
  if not read_fields(d, { framing.length }) then
    d.exact = false -- that was the header
    return false
  end
  local size, header = d.values[1].n, d.at - d.start
  if framing.whole then
    if size < header then return bad(d, d.start, "a Length of %s does not even cover itself", exact(d.values[1])) end
    size = size - header
  end
  if size > d.stop - d.at + 1 then
    short(d, d.at + size - 1)
    d.exact = true
    return false
  end
  return d.at, d.at + size - 1, d.at + size - 1
end

function splitters.json(d)
  local begin = string.find(d.b, "[^ \t\r\n]", d.start)
  local depth, in_text, i = 0, false, begin
  if begin and not string.find(d.b, '^["{%[]', begin) then return bad(d, begin, "no JSON object begins here") end
  while i and i <= d.stop do
    i = string.find(d.b, in_text and '["\\]' or '["{}%[%]]', i)
    if not i or i > d.stop then break end
    local c = string.sub(d.b, i, i)
    if c == "\\" then
      i = i + 1
    elseif c == '"' then
      in_text = not in_text
    elseif c == "{" or c == "[" then
      depth = depth + 1
    else
      depth = depth - 1
    end
    if depth == 0 and not in_text then return begin, i, i end
    i = i + 1
  end
  if d.stop - d.start + 1 > 4 * 1024 * 1024 then
    return bad(d, d.start, "a JSON value does not end within 4 MiB")
  end
  return short(d)
end

-- All there is, less the end of a line where a sender writes one after all.
function splitters.all(d, framing)
  local stop = d.stop
  if framing.any_cr then
    if stop >= d.start and string.byte(d.b, stop) == 10 then stop = stop - 1 end
    if stop >= d.start and string.byte(d.b, stop) == 13 then stop = stop - 1 end
  end
  return d.start, stop, d.stop
end

local function new_reader(b, start, stop)
  return { b = b, start = start, begin = start, at = start, stop = stop, base = 0, values = {} }
end

-- read_by_fields reads a message that ends with its last field.
local function read_by_fields(side, b, start, stop)
  local worst
  for shape, fields in ipairs(side.shapes) do
    local d = new_reader(b, start, stop)
    if read_fields(d, fields) then
      return { b = b, start = start, stop = d.at - 1, shape = shape, values = d.values, base = 0 }
    end
    if d.short then return nil, d end
    if not worst or d.where > worst.where then worst = d end
  end
  if not worst then
    worst = new_reader(b, start, stop)
    bad(worst, start, "no message is ever sent in this direction")
  elseif #side.shapes > 1 and worst.where == start then
    bad(worst, start, "no message begins like this")
  end
  return nil, worst
end

local function read_idle(side, b, start)
  for _, idle in ipairs(side.idle) do
    if string.sub(b, start, start + #idle.text - 1) == idle.text then
      local v = { field = side.shapes[idle.shape][1], at = start, size = #idle.text }
      return { b = b, start = start, stop = start + #idle.text - 1, shape = idle.shape, values = { v }, base = 0 }
    end
  end
end

-- read_frame reads one message from b. It gives a frame, or nil and a reader
-- that says why: short, or malformed for good. A frame without a shape has an
-- end and is no message of the protocol; its reason says why.
local function read_frame(side, b, start, stop)
  local framing = side.framing
  if framing.kind == "fields" then return read_by_fields(side, b, start, stop) end
  local frame = read_idle(side, b, start)
  if frame then return frame end
  local d = new_reader(b, start, stop)
  local body, body_stop, frame_stop = (splitters[framing.kind] or splitters.all)(d, framing)
  if not body then return nil, d end
  local header = d.values
  local worst
  for shape, fields in ipairs(side.shapes) do
    d = new_reader(b, body, body_stop)
    for i, v in ipairs(header) do d.values[i] = v end
    d.base = #header
    local ok = read_fields(d, fields)
    if ok and d.at <= body_stop then
      ok = bad(d, d.at, "%s bytes follow the last field", number_text(body_stop - d.at + 1))
    end
    if ok then
      return { b = b, start = start, stop = frame_stop, shape = shape, values = d.values, base = #header }
    end
    if d.short then bad(d, body_stop + 1, "the message ends in the middle of its fields") end
    if not worst or d.where > worst.where then worst = d end
  end
  local reason = worst and worst.reason or "no message is ever sent in this direction"
  return { b = b, start = start, stop = frame_stop, values = {}, base = 0, reason = reason }
end

-- read_parts reads a message that travels as several, if b begins with it.
local function read_parts(message, side, b, start, stop)
  local whole = { b = b, start = start, values = {}, base = 0, message = message, parts = {} }
  local found, at = {}, start
  for i, part in ipairs(message.parts) do
    if at > stop then return nil, i > 1 and { short = true } or nil end
    local frame, d = read_frame(side, b, at, stop)
    if not frame then
      if i == 1 or not d.short then return nil end
      d.exact = d.exact and i == #message.parts
      return nil, d
    end
    if not is_message(frame, part, found, found) then return nil end
    frame.message = part
    whole.parts[i] = frame
    at = frame.stop + 1
  end
  whole.stop = at - 1
  return whole
end

-- read_message is read_frame for messages in parts, too.
local function read_message(side, b, start, stop)
  local frame, d = read_frame(side, b, start, stop)
  if not frame then
    d.exact = d.exact and #side.parted == 0 -- else another may belong to it
    return nil, d
  end
  for _, message in ipairs(side.parted) do
    local whole, unfinished = read_parts(message, side, b, start, stop)
    if whole then return whole end
    if unfinished then return nil, unfinished end
  end
  return frame
end

-- is_text says whether all texts of a frame are UTF-8.
local function is_text(frame)
  for _, v in ipairs(frame.values) do
    if v.field.type == "text" and not v.entries then
      local text = string.sub(frame.b, v.at, v.at + v.size - 1)
      if valid_utf8(text) ~= text then return false end
    end
  end
  return true
end

-- too_long says that a message that is not complete at stop will never be kept.
local function too_long(d, at, stop) return math.max(d.need or 0, stop) - at >= MESSAGE_LIMIT end

-- count_messages says how many messages with a name of their own b begins
-- with; how many there are with any name and none; whether that is all of b,
-- and no text is garbage; and whether more bytes may make more.
local function count_messages(side, b, first)
  local named, all, at, whole = 0, 0, 1, true
  while at <= #b do
    local frame, d = read_message(side, b, at, #b)
    if not frame then return named, all, false, d.short and not too_long(d, at, #b) end
    frame.first = first and at == 1
    local message = name_of(side, frame)
    all = all + 1
    if message and not message.catch_all then named = named + 1 else whole = false end
    whole = whole and (protocol.charset or is_text(frame)) and true
    if frame.stop < at then break end
    at = frame.stop + 1
  end
  return named, all, whole, true
end
