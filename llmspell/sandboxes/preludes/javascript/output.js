// What a spell prints. Each print is a frame of its own until it floods: then prints are gathered,
// so that an honest loop of a million lines does not look like an attack on the channel.
const CHUNK = 10900, BURST = 400, PER_MILLISECOND = 1;

let allowance = BURST, refilled = 0;
let gathered = "", gatheredStream = "stdout";

const emit = (stream, text) => {
  for (let start = 0; start < text.length;) {
    const end = P.pieceEnd(text, min(start + CHUNK, text.length));
    P.send('{"type":"output","stream":"' + stream + '","text":' + stringify(slice(text, start, end)) + "}");
    start = end;
  }
};

P.flush = () => {
  if (gathered === "") return;
  const text = gathered;
  gathered = "";
  emit(gatheredStream, text);
};

const maySendNow = () => {
  if (allowance <= 0) {
    const now = P.now();
    allowance = min(BURST, floor((now - refilled) * PER_MILLISECOND));
    if (allowance <= 0) return false;
    refilled = now;
  }
  allowance--;
  return true;
};

P.write = (stream, text) => {
  text = P.printable(text);
  if (text === "") return;
  if (gathered === "" && maySendNow()) return emit(stream, text);
  if (stream !== gatheredStream) P.flush();
  gatheredStream = stream;
  gathered += text;
  if (gathered.length >= CHUNK || maySendNow()) P.flush();
};
