// Messages out and in, parts included.
const PART_SIZE = 87000, STEP = 87000, MESSAGE_MAX = 16777216;

const rawSend = (text) => {
  if (host.send(text) !== true) throw P.memoryError;
};

// Lengths here are in UTF-16 units, of which each is at most three bytes on the channel.
const wireSize = (text) => {
  let size = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = codeAt(text, index);
    if (code > 127) size += code > 2047 ? (code >= 0xd800 && code < 0xe000 ? 1 : 2) : 1;
  }
  return size;
};

const pieceEnd = (text, end) => {
  const code = codeAt(text, end - 1);
  return end < text.length && code >= 0xd800 && code < 0xdc00 ? end - 1 : end;
};
P.pieceEnd = pieceEnd;

P.send = (text) => {
  if (text.length <= PART_SIZE) return rawSend(text);
  if (text.length > MESSAGE_MAX || wireSize(text) > MESSAGE_MAX) {
    P.fail(4009, "limit", "a message of over 16 MiB can't be sent", "limit.message");
  }
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, min(start + STEP, text.length));
    rawSend('{"type":"part","data":' + stringify(slice(text, start, end)) + ',"last":' + (end === text.length) + "}");
    start = end;
  }
};

let parts = "";

// The next message, or null on timeout (milliseconds; null waits for ever).
P.receive = (timeout) => {
  for (;;) {
    let text = host.recv(timeout);
    if (text === null || text === undefined) return null;
    if (text === false) throw P.memoryError;
    let message = setPrototypeOf(P.decode(text), null);
    if (message.type !== "part") return message;
    parts += message.data;
    if (message.last) {
      text = parts;
      parts = "";
      return setPrototypeOf(P.decode(text), null);
    }
  }
};

P.now = () => host.clock(1);
P.wall = () => host.clock(0);
