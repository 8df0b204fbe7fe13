-- What a field holds: a pattern, a number, or a JSON template. given are the
-- parameters that are known already, by name; visit is told where each
-- parameter stands. Both may be nil.

local function pattern_parts(pattern, text, given, visit)
  local parts, at = pattern.parts, 1
  for i = 1, #parts do
    local part = parts[i]
    local literal = part.text or given and given[part.param]
    local stop -- behind the part
    if literal then
      if type(literal) ~= "string" or string.sub(text, at, at + #literal - 1) ~= literal then return false end
      stop = at + #literal
    elseif i < #parts then
      local least = part.rest and 0 or 1
      if #text - at + 1 < least then return false end
      stop = string.find(text, parts[i + 1].text, at + least, true)
      if not stop then return false end
    else
      stop = #text + 1
      if stop == at and not part.rest and #parts > 1 then return false end
    end
    if visit and part.param then visit(part, at, stop - 1) end
    at = stop
  end
  return at == #text + 1
end

local function pattern_fits(pattern, text, given, visit)
  if pattern.parts then return pattern_parts(pattern, text, given, visit) end
  if not regex_fits(pattern, text) then return false end
  if not visit and not given then return true end
  local slots = regex_groups(pattern, text)
  for _, group in ipairs(pattern.groups) do
    local from, to = slots[2 * group.number], slots[2 * group.number + 1]
    if from and to then
      -- A value that is known already should be looked for; here what is found
      -- first must be it.
      local want = given and given[group.param]
      if want and want ~= string.sub(text, from, to - 1) then return false end
      if visit then visit(group, from, to - 1) end
    end
  end
  return true
end

local function same_value(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  if #a ~= #b then return false end
  for i = 1, #a do
    if not same_value(a[i], b[i]) then return false end
  end
  return true
end

-- template_fits compares a JSON value; visit is told of each parameter and
-- what it holds.
local function template_fits(template, value, given, visit)
  if not value then return false end
  if template.param then
    local plain = json_plain(value)
    local want = given and given[template.param]
    if want ~= nil then return same_value(want, plain) end
    if visit then visit(template, plain) end
    return true
  elseif template.pattern then
    return value.t == "text" and pattern_fits(template.pattern, value.v, given, visit and function(part, from, to)
      visit(part, string.sub(value.v, from, to))
    end)
  elseif template.items then
    if value.t ~= "array" or #value.items ~= #template.items then return false end
    for i, item in ipairs(template.items) do
      if not template_fits(item, value.items[i], given, visit) then return false end
    end
    return true
  elseif template.members then
    if value.t ~= "object" then return false end
    for _, member in ipairs(template.members) do
      if not template_fits(member[2], value.map[member[1]], given, visit) then return false end
    end
    return true
  end
  return value.t == template.t and value.v == template.v
end

-- value_text is what a text holds, in UTF-8 where the encoding is known.
local function value_text(b, v)
  local text = string.sub(b, v.at, v.at + v.size - 1)
  if protocol.charset and v.field.type == "text" then
    text = string.gsub(text, ".", protocol.charset)
  end
  return text
end

local function field_value(frame, index) return frame.values[frame.base + index] end

local function shown(v) return v.field.enum and v.field.enum[exact(v)] or exact(v) end

local function fits(frame, condition, given, visit)
  local v = field_value(frame, condition.field)
  if condition.template then return template_fits(condition.template, v.json, given, visit) end
  if condition.number then return exact(v) == condition.number end
  if v.n then
    return pattern_fits(condition.pattern, shown(v), given) or pattern_fits(condition.pattern, exact(v), given)
  end
  local text = value_text(frame.b, v)
  return pattern_fits(condition.pattern, text, given, visit and function(part, from, to)
    visit(part, string.sub(text, from, to))
  end)
end

local function all_fit(frame, conditions, given, visit)
  for _, condition in ipairs(conditions) do
    if not fits(frame, condition, given, visit) then return false end
  end
  return true
end

-- any_fits is the first of several descriptions that fits; visit is told of
-- the parameters of that one alone.
local function any_fits(frame, list, given, visit)
  for _, conditions in ipairs(list) do
    local seen = {}
    if all_fit(frame, conditions, given, visit and function(...) seen[#seen + 1] = { ... } end) then
      for _, args in ipairs(seen) do visit(args[1], args[2], args[3]) end
      return true
    end
  end
  return false
end

-- is_message says whether a frame can be such a message with the parameters
-- that are given. It adds the others to found, unless that is nil.
local function is_message(frame, message, given, found)
  if frame.shape ~= message.shape or message.first and not frame.first then return false end
  if any_fits(frame, message.except, given) then return false end
  local got = {}
  local ok = any_fits(frame, message.where, given, found and function(part, value) got[part.param] = value end)
  if not ok or not found then return ok end
  for _, index in ipairs(message.open) do
    local v = field_value(frame, index)
    local value = v.n and shown(v) or not v.entries and value_text(frame.b, v) or nil
    local want = given[v.field.name]
    if want ~= nil and value and want ~= value then return false end
    got[v.field.name] = value
  end
  for name, value in pairs(got) do
    if given[name] == nil then found[name] = value end
  end
  return true
end

-- name_of is the first message in the order of the protocol file that a frame
-- can be, or nil.
local NAME_LIMIT = 4096

local function name_of(side, frame)
  if frame.message then return frame.message end
  if not frame.shape then return nil end
  for _, message in ipairs(side.messages) do
    if (frame.stop - frame.start < NAME_LIMIT or not message.regex) and is_message(frame, message) then
      return message
    end
  end
  return nil
end
