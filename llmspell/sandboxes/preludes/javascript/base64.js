// base64, the channel's form of bytes. Two characters at a time, by a table of 4096 entries.
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
let doubles = null, values = null;

const prepare = () => {
  doubles = [];
  values = new Bytes(128);
  for (let high = 0; high < 64; high++) {
    values[codeAt(ALPHABET, high)] = high;
    for (let low = 0; low < 64; low++) push(doubles, ALPHABET[high] + ALPHABET[low]);
  }
};

P.base64Encode = (bytes) => {
  if (doubles === null) prepare();
  const length = viewLength(bytes), whole = length - (length % 3);
  let text = "";
  for (let index = 0; index < whole; index += 3) {
    const bits = (bytes[index] << 16) | (bytes[index + 1] << 8) | bytes[index + 2];
    text += doubles[bits >> 12] + doubles[bits & 4095];
  }
  if (whole === length) return text;
  const bits = (bytes[whole] << 16) | ((bytes[whole + 1] ?? 0) << 8);
  const last = doubles[bits >> 12] + doubles[bits & 4095];
  return text + (length - whole === 2 ? slice(last, 0, 3) + "=" : slice(last, 0, 2) + "==");
};

P.base64Decode = (text) => {
  if (values === null) prepare();
  let length = (text.length / 4) * 3;
  if (text.length > 0 && text[text.length - 1] === "=") length -= text[text.length - 2] === "=" ? 2 : 1;
  const bytes = new Bytes(length);
  let at = 0;
  for (let index = 0; index < text.length; index += 4) {
    const bits = (values[codeAt(text, index)] << 18) | (values[codeAt(text, index + 1)] << 12)
      | (values[codeAt(text, index + 2)] << 6) | values[codeAt(text, index + 3)];
    // Writing behind a typed array's end does nothing: the padding's bytes fall away.
    bytes[at++] = bits >> 16;
    bytes[at++] = (bits >> 8) & 255;
    bytes[at++] = bits & 255;
  }
  return bytes;
};
