-- Conversations, and how Wireshark calls this.

local WAIT_LIMIT = 1048576 -- bytes that are collected until it is known how to read them

local conversations = {} -- by the number of the stream, or else by the addresses
local tcp_stream, udp_stream = Field.new("tcp.stream"), Field.new("udp.stream")
local tcp_len = Field.new("tcp.len")
local tcp_flags, tcp_lost = Field.new("tcp.flags"), Field.new("tcp.analysis.lost_segment")

-- Another dissector may have the name; then this one is called otherwise, and
-- so are its fields.
local function new_proto()
  local title = protocol.title
  for _, name in ipairs({ protocol.filter, "chatprobe_" .. protocol.filter, "chatprobe2_" .. protocol.filter }) do
    local ok, made = pcall(Proto, name, title)
    if not ok then ok, made = pcall(Proto, name, title .. " (chatprobe)") end
    if ok then return made, name end
  end
  error("there is a dissector called " .. protocol.filter .. " already")
end

local filter
proto, filter = new_proto()

local KINDS = {
  uint8 = ProtoField.uint8, uint16 = ProtoField.uint16, uint24 = ProtoField.uint24, uint32 = ProtoField.uint32,
  uint64 = ProtoField.uint64,
}

local function new_field(name, f)
  local abbreviation = filter .. "." .. f.filter
  if KINDS[f.kind] then
    local names = f.names and {}
    for _, pair in ipairs(f.names or {}) do names[tonumber(pair[1])] = pair[2] end
    return KINDS[f.kind](abbreviation, f.name, f.hex and base.HEX or base.DEC, names)
  end
  return ProtoField[f.kind](abbreviation, f.name)
end

local all_fields = {}
for i, f in ipairs(protocol.fields) do
  hf[i] = new_field(f.name, f)
  all_fields[i] = hf[i]
end
hf.message = ProtoField.string(filter .. ".message", "Message name")
hf.from = ProtoField.string(filter .. ".from", "From")
hf.unreadable = ProtoField.bytes(filter .. ".unreadable", "Bytes")
for _, name in ipairs({ "message", "from", "unreadable" }) do all_fields[#all_fields + 1] = hf[name] end
proto.fields = all_fields

marks = {
  malformed = ProtoExpert.new(filter .. ".malformed", "These bytes are no message, and nothing says where the next one begins",
    expert.group.MALFORMED, expert.severity.ERROR),
  no_message = ProtoExpert.new(filter .. ".no_message", "This is no message of the protocol",
    expert.group.MALFORMED, expert.severity.ERROR),
  unnamed = ProtoExpert.new(filter .. ".unnamed", "The protocol has no name for this message",
    expert.group.UNDECODED, expert.severity.NOTE),
  cut = ProtoExpert.new(filter .. ".cut", "The message is not complete in this packet",
    expert.group.MALFORMED, expert.severity.WARN),
}
proto.experts = { marks.malformed, marks.no_message, marks.unnamed, marks.cut }

-- Preferences: the ports, and what the protocol leaves open.
proto.prefs.ports = Pref.range("Ports", protocol.ports, "Ports of servers that speak this protocol", 65535)
for _, setting in ipairs(protocol.settings) do
  local choices = { { 0, "find out", 0 } }
  for k, value in ipairs(setting.choices) do choices[k + 1] = { k, value, k } end
  proto.prefs[setting.preference] = Pref.enum(setting.name, 0, setting.about, choices, false)
end

local transport_table = DissectorTable.get(protocol.transport .. ".port")
local registered = ""

local function in_ports(port)
  for first, last in string.gmatch(registered, "(%d+)%-?(%d*)") do
    local low = tonumber(first)
    if port >= low and port <= (tonumber(last) or low) then return true end
  end
  return false
end

local function register_ports()
  local wanted = tostring(proto.prefs.ports)
  if wanted == registered then return end
  if registered ~= "" then transport_table:remove(registered, proto) end
  if wanted ~= "" then transport_table:add(wanted, proto) end
  registered = wanted
end

function proto.prefs_changed() register_ports() end

function proto.init() conversations = {} end

-- variants are the ways to read that the preferences leave.
local function variants_left()
  local left = {}
  for _, variant in ipairs(protocol.variants) do
    local ok = true
    for _, setting in ipairs(protocol.settings) do
      local choice = setting.choices[proto.prefs[setting.preference]]
      if choice and variant.settings[setting.name] ~= choice then ok = false end
    end
    if ok then left[#left + 1] = variant end
  end
  return left
end

local function conversation_of(pinfo)
  local stream = protocol.transport == "tcp" and tcp_stream() or protocol.transport == "udp" and udp_stream()
  local key
  if stream then
    key = stream.value
  else
    local a = tostring(pinfo.src) .. " " .. number_text(pinfo.src_port)
    local b = tostring(pinfo.dst) .. " " .. number_text(pinfo.dst_port)
    key = a < b and a .. b or b .. a
  end
  local conversation = conversations[key]
  if not conversation then
    conversation = { first = {}, lost = { client = {}, server = {} }, waiting = {}, skips = {} }
    conversations[key] = conversation
  end
  return conversation
end

-- set_server notes who is the server of a conversation.
local function set_server(conversation, address, port)
  conversation.port, conversation.address = port, tostring(address)
end

-- to_server says whether a packet goes to the server, which is known.
local function to_server(conversation, pinfo)
  if pinfo.src_port ~= pinfo.dst_port then return pinfo.dst_port == conversation.port end
  return tostring(pinfo.dst) == conversation.address
end

-- likely says how well text reads as what a side says.
local function likely(text, from)
  local most = 0
  for _, variant in ipairs(variants_left()) do
    local n, _, whole = count_messages(variant[from], text, true)
    if n > 0 and whole then most = math.max(most, n + 1) end
    most = math.max(most, n)
  end
  return most
end

-- speaker says who sent a packet: "client" or "server".
local function speaker(conversation, pinfo, text)
  if not conversation.port then
    local match = pinfo.match_uint
    local is_request
    if in_ports(pinfo.dst_port) or match == pinfo.dst_port then
      is_request = true
    elseif in_ports(pinfo.src_port) or match == pinfo.src_port then
      is_request = false
    else
      local as_client, as_server = likely(text, "client"), likely(text, "server")
      if as_client == as_server then as_client = pinfo.src_port - pinfo.dst_port + as_server end
      is_request = as_client > as_server
    end
    if is_request then
      set_server(conversation, pinfo.dst, pinfo.dst_port)
    else
      set_server(conversation, pinfo.src, pinfo.src_port)
    end
  end
  return to_server(conversation, pinfo) and "client" or "server"
end

-- choose is the variant that makes the most messages of text, and whether it
-- may be used. As long as none makes any, more may come; but once a message is
-- complete, to wait would show it twice.
local function choose(conversation, text, from)
  if conversation.variant then return conversation.variant, true end
  local left = variants_left()
  local best, most, tie, more = left[1], -1, false, false
  if #left == 1 then return best, true end
  for _, variant in ipairs(left) do
    local named, all, _, unfinished = count_messages(variant[from], text, not conversation.first[from])
    more = more or unfinished
    local score = named > 0 and 1000000 + named or all
    if score > most then
      best, most, tie = variant, score, false
    elseif score == most then
      tie = true
    end
  end
  if most == 0 then return best, not more end
  if not tie and most > 1000000 then conversation.variant = best end
  return best, true
end

-- is_first notes which message was the first of its direction; of a datagram,
-- of its conversation. It gives the same answer when a packet is looked at again.
local function is_first(conversation, from, pinfo, tvb, frame)
  if protocol.transport == "udp" then from = "both" end
  local first = conversation.first[from]
  if first and first.number ~= pinfo.number then return false end
  -- A packet may be shown in several pieces, each with a start of its own.
  local head = string.sub(frame.b, frame.start, math.min(frame.stop, frame.start + 64))
  if not first then
    conversation.first[from] = { number = pinfo.number, start = frame.start, size = tvb:len(), head = head }
    return true
  end
  return first.start == frame.start and first.size == tvb:len() and first.head == head
end

-- is_lost says whether a direction cannot be read in this packet, because of
-- something before it.
local function is_lost(lost, number) return lost.from and number > lost.from and not (lost.to and number >= lost.to) end

local function ask_for_more(pinfo, at, stop, d)
  pinfo.desegment_offset = at - 1
  -- Wireshark must not be asked for a number of bytes unless they end the
  -- message: when it is asked for more afterwards, it waits for a segment too
  -- many, and shows what was complete before more than once.
  pinfo.desegment_len = d and d.exact and d.need - stop or DESEGMENT_ONE_MORE_SEGMENT
end

-- shown_before says how many bytes of text have been shown already. A message
-- that may be a part of another is kept until the next one has come; when that
-- one does not belong to it, and is kept in its turn, Wireshark gives all of
-- them once more.
local function shown_before(conversation, from, pinfo, text)
  local waiting, place = conversation.waiting[from], from .. pinfo.number .. " " .. #text
  if not pinfo.visited then
    conversation.waiting[from] = nil
    local new = tcp_len()
    if waiting and new and #text == #waiting.text + new.value and string.sub(text, 1, #waiting.text) == waiting.text then
      conversation.skips[place] = waiting.shown
    end
  end
  return conversation.skips[place] or 0
end

local last_number -- of the packet that was looked at last

local function say(pinfo, lines)
  pinfo.cols.protocol:set(string.upper(filter))
  if #lines == 0 then return end
  local again = last_number == pinfo.number
  last_number = pinfo.number
  pinfo.cols.info:set((again and ", " or "") .. table.concat(lines, ", "))
  pinfo.cols.info:fence()
end

local LINES_LIMIT = 20 -- messages of one packet that the list of packets names

local function dissect(tvb, pinfo, root)
  local b, stop = tvb:raw(0, tvb:len()), tvb:len()
  local cut = tvb:reported_len() > stop
  local conversation = conversation_of(pinfo)
  local from = speaker(conversation, pinfo, b)
  local variant, decided = choose(conversation, b, from)
  local stream = protocol.transport == "tcp"
  local can_wait = stream and pinfo.can_desegment > 0 and not cut
  local lines = {}
  local function note(line)
    if #lines < LINES_LIMIT then lines[#lines + 1] = line end
    if #lines == LINES_LIMIT then lines[LINES_LIMIT] = "..." end
  end
  if not decided and can_wait and stop < WAIT_LIMIT then
    ask_for_more(pinfo, 1, stop)
    return stop
  end
  local side = variant[from]
  local kept = conversation.lost[from]
  if stream and tcp_lost() and not kept.from then kept.from = pinfo.number - 1 end
  if is_lost(kept, pinfo.number) then
    -- What reads well as a whole is taken for messages again.
    local n, _, whole = count_messages(side, b, false)
    if kept.to or n == 0 or not whole then
      note(show_unreadable(root, tvb, 1, stop, marks.malformed, "what came before could not be read"))
      say(pinfo, lines)
      return stop
    end
    kept.to = pinfo.number
  end
  local at = 1
  if stream and #side.parted > 0 then at = 1 + shown_before(conversation, from, pinfo, b) end
  while at <= stop do
    local frame, d = read_message(side, b, at, stop)
    if not frame and d.short and cut then
      note(show_unreadable(root, tvb, at, stop, marks.cut, "the rest of this message is missing in the capture"))
      kept.from = kept.from or pinfo.number
      break
    elseif not frame and d.short and not too_long(d, at, stop) then
      if can_wait then
        if #side.parted > 0 then conversation.waiting[from] = { text = b, shown = at - 1 } end
        ask_for_more(pinfo, at, stop, d)
      else
        note(show_unreadable(root, tvb, at, stop, marks.cut, "the message is not complete in this packet"))
      end
      break
    elseif not frame then
      local reason = d.reason or "a message of more than 16 MiB"
      note(show_unreadable(root, tvb, at, stop, marks.malformed, printable(reason)))
      kept.from = kept.from or pinfo.number
      break
    end
    frame.first = is_first(conversation, from, pinfo, tvb, frame)
    note(show_frame(root, tvb, frame, name_of(side, frame), from))
    if frame.stop < at then break end
    at = frame.stop + 1
  end
  say(pinfo, lines)
  return stop
end

function proto.dissector(tvb, pinfo, root) return dissect(tvb, pinfo, root) end

-- is_ours says whether all of a packet is messages with names of their own,
-- in one direction or the other.
local function is_ours(tvb, pinfo)
  local text = tvb:raw(0, tvb:len())
  local conversation = conversation_of(pinfo)
  if conversation.ours then return true end
  local sides = { "client", "server" }
  if conversation.port then sides = { to_server(conversation, pinfo) and "client" or "server" } end
  for _, variant in ipairs(variants_left()) do
    for _, from in ipairs(sides) do
      local n, _, whole = count_messages(variant[from], text, true)
      if n > 0 and whole then
        conversation.ours = true
        return true
      end
    end
  end
  return false
end

proto:register_heuristic(protocol.transport, function(tvb, pinfo, root)
  if tvb:len() == 0 or not is_ours(tvb, pinfo) then return false end
  dissect(tvb, pinfo, root)
  pinfo.conversation = proto
  return true
end)

-- Who began a connection is its client. That is said before any of its bytes,
-- in packets that no dissector of a protocol is shown.
if protocol.transport == "tcp" then
  local watcher = Proto(filter .. "_begin", protocol.title .. ": who began a connection")
  function watcher.dissector(_, pinfo)
    local flags = tcp_flags()
    if not flags then return end
    local value = flags.value
    if value % 4 < 2 then return end -- no SYN
    local conversation = conversation_of(pinfo)
    if value % 32 < 16 then
      set_server(conversation, pinfo.dst, pinfo.dst_port)
    elseif not conversation.port then -- the answer to one that was not captured
      set_server(conversation, pinfo.src, pinfo.src_port)
    end
  end
  register_postdissector(watcher)
end

transport_table:add_for_decode_as(proto)
register_ports()
