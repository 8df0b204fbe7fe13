-- Regular expressions, compiled by chatprobe to small programs: a list of
-- instructions {what, next, argument}. Whether one fits is found with a table
-- of states that grows as texts are looked at; what its groups hold, by trying.

local STATES_LIMIT = 4000

local function is_word(r)
  return r == 95 or r >= 48 and r <= 57 or r >= 65 and r <= 90 or r >= 97 and r <= 122
end

-- kind_of says what an expression can ask about a neighbour; nil stands for
-- where the text begins or ends.
local function kind_of(r)
  if not r then return "edge" end
  if r == 10 then return "newline" end
  return is_word(r) and "word" or "other"
end

local ASSERTIONS = {
  ["begin text"] = function(before) return before == "edge" end,
  ["end text"] = function(_, after) return after == "edge" end,
  ["begin line"] = function(before) return before == "edge" or before == "newline" end,
  ["end line"] = function(_, after) return after == "edge" or after == "newline" end,
  ["border"] = function(before, after) return (before == "word") ~= (after == "word") end,
  ["no border"] = function(before, after) return (before == "word") == (after == "word") end,
}

-- takes says whether an instruction takes the character r.
local function takes(inst, r)
  local what = inst[1]
  if what == "any" then return true end
  if what == "not newline" then return r ~= 10 end
  local ranges = inst[3]
  for i = 1, #ranges, 2 do
    if r >= ranges[i] and r <= ranges[i + 1] then return true end
  end
  return false
end

local function take_step(regex, state, r)
  local after, seen, stack, roots, out = kind_of(r), {}, {}, {}, {}
  for i = #state.roots, 1, -1 do stack[#stack + 1] = state.roots[i] end
  while #stack > 0 do
    local pc = table.remove(stack)
    if not seen[pc] then
      seen[pc] = true
      local inst = regex.program[pc]
      local what = inst[1]
      if what == "match" then return true end
      if what == "alt" then
        stack[#stack + 1] = inst[3]
        stack[#stack + 1] = inst[2]
      elseif what == "group" or what == "nop" then
        stack[#stack + 1] = inst[2]
      elseif what == "assert" then
        if ASSERTIONS[inst[3]](state.before, after) then stack[#stack + 1] = inst[2] end
      elseif what ~= "fail" and r and takes(inst, r) and not out[inst[2]] then
        out[inst[2]] = true
        roots[#roots + 1] = inst[2]
      end
    end
  end
  if not r then return false end
  if not out[regex.start] then roots[#roots + 1] = regex.start end
  table.sort(roots)
  local key = after .. " " .. table.concat(roots, " ")
  local found = regex.states[key]
  if not found then
    found = { roots = roots, before = after, on = {} }
    regex.states[key] = found
    regex.count = regex.count + 1
  end
  return found
end

-- regex_fits says whether the expression is found anywhere in text.
local function regex_fits(regex, text)
  if not regex.states or regex.count > STATES_LIMIT then
    regex.states, regex.count = {}, 0
    regex.first = { roots = { regex.start }, before = "edge", on = {} }
  end
  local state, i = regex.first, 1
  while i <= #text do
    local r, n = string.byte(text, i), 1
    if r >= 128 then r, n = decode_rune(text, i) end
    i = i + n
    local found = state.on[r]
    if found == nil then
      found = take_step(regex, state, r)
      state.on[r] = found
      regex.count = regex.count + 1
    end
    if found == true then return true end
    state = found
  end
  if state.at_end == nil then state.at_end = take_step(regex, state, nil) end
  return state.at_end
end

-- regex_groups is where the groups stand at the first place that fits: pairs
-- of positions by number, or nil.
local function regex_groups(regex, text)
  local runes, at = {}, {}
  local i = 1
  while i <= #text do
    local r, n = decode_rune(text, i)
    runes[#runes + 1], at[#at + 1] = r, i
    i = i + n
  end
  local n = #runes
  at[n + 1] = #text + 1
  local visited, slots, stack = {}, {}, {}
  for start = 1, n + 1 do
    slots, stack = {}, { { regex.start, start } }
    while #stack > 0 do
      local job = table.remove(stack)
      local pc, pos = job[1], job[2]
      if not pc then -- take back what a way that led nowhere had noted
        slots[job[3]] = job[4]
        pc = 0
      end
      while pc ~= 0 and not visited[pc * (n + 2) + pos] do
        visited[pc * (n + 2) + pos] = true
        local inst = regex.program[pc]
        local what = inst[1]
        pc = inst[2] or 0
        if what == "match" then return slots end
        if what == "alt" then
          stack[#stack + 1] = { inst[3], pos }
        elseif what == "group" then
          stack[#stack + 1] = { false, 0, inst[3], slots[inst[3]] }
          slots[inst[3]] = at[pos]
        elseif what == "assert" then
          if not ASSERTIONS[inst[3]](kind_of(runes[pos - 1]), kind_of(runes[pos])) then pc = 0 end
        elseif what == "fail" then
          pc = 0
        elseif what ~= "nop" then
          if pos <= n and takes(inst, runes[pos]) then pos = pos + 1 else pc = 0 end
        end
      end
    end
  end
  return nil
end
