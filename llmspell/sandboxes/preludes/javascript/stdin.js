// Standard input: pieces from the supervisor, cut into lines here.
const Stdin = create(null);
P.modules.stdin = Stdin;
let buffered = "", ended = false;

const fill = async () => {
  if (ended) return false;
  const piece = await P.call("stdin.read", create(null));
  if (piece === null || piece === undefined || piece === "") {
    ended = true;
    return false;
  }
  buffered += piece;
  return true;
};

const take = (length) => {
  const piece = slice(buffered, 0, length);
  buffered = slice(buffered, length);
  return piece;
};

Stdin.read = async (length) => {
  const most = typeof length === "object" && length !== null ? length.length : length;
  if (buffered === "" && !(await fill())) return null;
  return take(most ?? buffered.length);
};

Stdin.read_all = async () => {
  while (await fill());
  return take(buffered.length);
};

const readLine = async () => {
  let stop = indexOf(buffered, "\n");
  while (stop < 0 && (await fill())) stop = indexOf(buffered, "\n");
  if (stop < 0) return buffered === "" ? null : take(buffered.length);
  return slice(take(stop + 1), 0, -1);
};

Stdin.lines = async function* lines() {
  for (let line = await readLine(); line !== null; line = await readLine()) yield line;
};
