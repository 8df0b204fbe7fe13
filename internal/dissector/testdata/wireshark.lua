-- As much of Wireshark as a dissector needs, for a plain Lua: what is said is
-- read from a file, packet by packet, and what is shown is printed.
--
--   lua wireshark.lua DISSECTOR.lua client|server BYTES...
local function class(made)
  return setmetatable({}, { __index = function() return made end })
end

local function abbreviated(abbreviation) return { abbreviation = abbreviation } end

base, expert = { DEC = 1, HEX = 2 }, { group = {}, severity = {} }
ENC_UTF_8, DESEGMENT_ONE_MORE_SEGMENT = 2, 0x0fffffff
ProtoField = class(abbreviated)
ProtoExpert = { new = abbreviated }
Pref = {
  range = function(_, default) return default end,
  enum = function(_, default) return default end,
}

local numbers = {}
numbers.__index = numbers
numbers.__tostring = function(n) return n.text end
numbers.__mul = function(a, b) return UInt64.of(a.text == "0" and "0" or a.text .. "0") end -- only by ten
numbers.__add = function(a, b) return UInt64.of(a.text == "0" and b.text or string.sub(a.text, 1, -2) .. b.text) end -- only a digit
UInt64 = {
  of = function(text) return setmetatable({ text = text }, numbers) end,
  new = function(low, high)
    -- In decimal digits: twice what there is and one bit more, 64 times.
    local digits = { 0 }
    for _, half in ipairs({ high, low }) do
      for bit = 31, 0, -1 do
        local carry = math.floor(half / 2 ^ bit) % 2
        for i = 1, #digits do
          local d = digits[i] * 2 + carry
          digits[i], carry = d % 10, math.floor(d / 10)
        end
        if carry > 0 then digits[#digits + 1] = carry end
      end
    end
    local text = ""
    for i = #digits, 1, -1 do text = text .. string.format("%d", digits[i]) end
    return UInt64.of(text)
  end,
}

local made, called = nil, nil
function Proto(name)
  if name == "irc" then error("there is a protocol of that name") end
  local p = { name = name, prefs = {}, register_heuristic = function() end }
  if not made then made, called = p, name end
  return p
end

local fields = {}
Field = { new = function(name) return function() return fields[name] end end }
fields["tcp.stream"], fields["udp.stream"] = { value = 0 }, { value = 0 }
local nothing = { add = function() end, remove = function() end, add_for_decode_as = function() end }
DissectorTable = { get = function() return nothing end }
function register_postdissector() end

local function range(at, size, bytes)
  return { at = at, size = size, bytes = function() return bytes end }
end

local tree = {}
tree.__index = tree
function tree:show(field, r, value)
  if field.abbreviation then
    value = value or string.sub(tree.b, r.at + 1, r.at + r.size)
    if type(value) == "number" then value = string.format("%.0f", value) end
    value = string.gsub(tostring(value), "[^!-~]", function(c) return string.format("\\x%02x", string.byte(c)) end)
    print(string.format("%s %d %d %s", field.abbreviation, r.at, r.size, value))
  end
  return setmetatable({}, tree)
end
function tree:add(field, r, value) return self:show(field, r, value) end
function tree:add_packet_field(field, r) return self:show(field, r) end
function tree:set_text() return self end
function tree:set_generated() return self end
function tree:append_text() return self end
function tree:add_proto_expert_info(mark, text) print(mark.abbreviation .. " " .. tostring(text)) end

local column = { set = function() end, fence = function() end }

assert((loadfile(arg[1])))()
local text = io.open(arg[3], "rb"):read("*a")
tree.b = text
local tvb = {
  len = function() return #text end,
  reported_len = function() return #text end,
  raw = function() return text end,
  range = function(_, at, size) return range(at, size) end,
}
local server, client = 1, 2
local pinfo = { number = 1, src = "a", dst = "b", can_desegment = 1, match_uint = server, cols = { protocol = column, info = column } }
pinfo.src_port, pinfo.dst_port = client, server
if arg[2] == "server" then pinfo.src_port, pinfo.dst_port = server, client end
made.dissector(tvb, pinfo, setmetatable({}, tree))
