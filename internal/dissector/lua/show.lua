-- What Wireshark shows of a message.

local proto -- made in register.lua
local marks -- the expert infos, likewise
local hf = {} -- the fields that can be filtered for, by number; and some by name

local INFO_LIMIT = 40

-- printable makes text from the network one line that is no UTF-8 puzzle.
local function printable(text, limit)
  if limit and #text > limit then text = string.sub(text, 1, limit) .. "..." end
  return (string.gsub(valid_utf8(text), "[%z\1-\31\127]", function(c)
    return string.format("\\x%02x", string.byte(c))
  end))
end

local function add_text(tree, id, range, text)
  if protocol.charset then
    tree:add(hf[id], range, (string.gsub(text, "%z", "\\x00")))
  else
    tree:add_packet_field(hf[id], range, ENC_UTF_8)
  end
end

local function bytes_of(tvb, v) return tvb:range(v.at - 1, v.size) end

local show_values

local function show_list(tree, tvb, b, v)
  local texts = {}
  local item = tree:add(hf[v.field.hf], bytes_of(tvb, v))
  for i, values in ipairs(v.entries) do
    show_values(item, tvb, b, values)
    for _, inner in ipairs(values) do
      if inner.field.value and i <= 10 then texts[#texts + 1] = printable(value_text(b, inner), INFO_LIMIT) end
    end
  end
  if #v.entries > 10 then texts[#texts + 1] = "..." end
  item:set_text(v.field.name .. " (" .. #v.entries .. "): " .. table.concat(texts, ", "))
end

local function show_value(tree, tvb, b, v)
  local f, range = v.field, bytes_of(tvb, v)
  if v.entries then
    show_list(tree, tvb, b, v)
  elseif v.n then
    if protocol.fields[f.hf].kind == "uint64" then
      local n = v.high and UInt64.new(v.low, v.high) or UInt64.new(0, 0)
      if not v.high then -- it came in digits
        for digit in string.gmatch(v.s, ".") do n = n * UInt64.new(10, 0) + UInt64.new(tonumber(digit), 0) end
      end
      tree:add(hf[f.hf], range, n)
    else
      tree:add(hf[f.hf], range, v.n)
    end
  elseif f.type == "ip" then
    tree:add(hf[f.hf], range)
  elseif f.type == "bytes" then
    tree:add(hf[f.hf], range)
  else
    add_text(tree, f.hf, range, value_text(b, v))
  end
end

function show_values(tree, tvb, b, values)
  for _, v in ipairs(values) do show_value(tree, tvb, b, v) end
end

-- show_json adds what a parameter of a JSON value holds.
local function show_json(tree, id, range, plain)
  if type(plain) == "table" then
    for _, item in ipairs(plain) do show_json(tree, id, range, item) end
  else
    tree:add(hf[id], range, (string.gsub(plain, "%z", "\\x00")))
  end
end

-- show_parameters adds the parameters of a text that a pattern describes. It
-- gives what they are for the list of packets, or nil where there are none.
local function show_parameters(tree, tvb, frame, message, v)
  for _, conditions in ipairs(message.where) do
    for _, condition in ipairs(conditions) do
      if field_value(frame, condition.field) == v then
        local seen = {}
        if condition.template then
          if template_fits(condition.template, v.json, nil, function(part, plain)
            seen[#seen + 1] = { part, plain }
          end) and #seen > 0 then
            for _, one in ipairs(seen) do show_json(tree, one[1].hf, bytes_of(tvb, v), one[2]) end
            return seen
          end
        elseif not protocol.charset and not v.n then
          local text = value_text(frame.b, v)
          if pattern_fits(condition.pattern, text, nil, function(part, from, to)
            seen[#seen + 1] = { part, string.sub(text, from, to), from }
          end) and #seen > 0 then
            for _, one in ipairs(seen) do
              local range = tvb:range(v.at - 1 + one[3] - 1, #one[2])
              tree:add_packet_field(hf[one[1].hf], range, ENC_UTF_8)
            end
            return seen
          end
        end
      end
    end
  end
  return nil
end

local function info_of(name, value)
  if type(value) == "table" then
    local texts = {}
    for i = 1, math.min(#value, 5) do texts[i] = type(value[i]) == "table" and "..." or printable(value[i], INFO_LIMIT) end
    value = table.concat(texts, ",") .. (#value > 5 and ",..." or "")
  end
  return " " .. name .. "=" .. printable(value, INFO_LIMIT)
end

-- show_fields adds the fields of a frame and gives what the list of packets
-- says of them.
local function show_fields(tree, tvb, frame, message)
  local info = ""
  for _, v in ipairs(frame.values) do
    local f = v.field
    local parameters = message and f.rest and show_parameters(tree, tvb, frame, message, v)
    if parameters then
      for _, one in ipairs(parameters) do info = info .. info_of(one[1].param, one[2]) end
    else
      show_value(tree, tvb, frame.b, v)
      if f.value and not v.entries then
        local text = v.n and shown(v) or f.type == "ip" and tostring(bytes_of(tvb, v):bytes()) or value_text(frame.b, v)
        info = info .. info_of(f.name, text)
      end
    end
  end
  return info
end

-- show_frame adds one message to the tree and gives its line in the list of
-- packets.
local function show_frame(root, tvb, frame, message, from)
  local range = tvb:range(frame.start - 1, frame.stop - frame.start + 1)
  local tree = root:add(proto, range)
  local name = message and message.name or "no message"
  if message then tree:add(hf.message, range, message.name):set_generated() end
  tree:add(hf.from, range, from):set_generated()
  local info = ""
  if frame.reason then
    tree:add(hf.unreadable, range)
    tree:add_proto_expert_info(marks.no_message, frame.reason)
  elseif frame.parts then
    for _, part in ipairs(frame.parts) do info = info .. show_fields(tree, tvb, part, part.message) end
  else
    info = show_fields(tree, tvb, frame, message)
    if not message then
      name = "unnamed"
      tree:add_proto_expert_info(marks.unnamed)
    end
  end
  tree:append_text(", " .. name .. ", from the " .. from)
  return name .. info
end

-- show_unreadable adds bytes that cannot be read, and says why.
local function show_unreadable(root, tvb, at, stop, mark, reason)
  local range = tvb:range(at - 1, stop - at + 1)
  local tree = root:add(proto, range)
  tree:add(hf.unreadable, range)
  tree:add_proto_expert_info(mark, reason)
  tree:append_text(", " .. reason)
  return "unreadable: " .. reason
end
