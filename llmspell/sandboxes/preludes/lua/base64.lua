-- base64, the channel's form of bytes. Two characters at a time, by tables of 4096 entries.
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local pairs_of, value_of = nil, nil

local function prepare()
  pairs_of, value_of = {}, {}
  for high = 0, 63 do
    local first = sub(ALPHABET, high + 1, high + 1)
    value_of[byte(first)] = high
    for low = 0, 63 do pairs_of[high * 64 + low] = first .. sub(ALPHABET, low + 1, low + 1) end
  end
end

local function encode_triple(text)
  local a, b, c = byte(text, 1, 3)
  local bits = a << 16 | (b or 0) << 8 | (c or 0)
  local result = pairs_of[bits >> 12] .. pairs_of[bits & 4095]
  if c then return result end
  return b and sub(result, 1, 3) .. "=" or sub(result, 1, 2) .. "=="
end

function P.base64_encode(data)
  if not pairs_of then prepare() end
  return (gsub(data, "..?.?", encode_triple))
end

function P.base64_decode(text)
  if not value_of then prepare() end
  return (gsub(text, "....", function(four)
    local a, b, c, d = byte(four, 1, 4)
    local bits = value_of[a] << 18 | value_of[b] << 12 | (value_of[c] or 0) << 6 | (value_of[d] or 0)
    if c == 61 then return char(bits >> 16) end
    if d == 61 then return char(bits >> 16, bits >> 8 & 255) end
    return char(bits >> 16, bits >> 8 & 255, bits & 255)
  end))
end
