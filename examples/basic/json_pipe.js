// A filter for pipes: JSON lines in, JSON lines out.
//
//   llmspell run --profile high examples/basic/json_pipe.js --param level=error < events.jsonl
//
// Standard input is read through the broker too, a piece at a time: no line is kept.

const wanted = params.level ?? "error";
const hidden = new Set(["token", "password"]);
let seen = 0, passed = 0, damaged = 0;

for await (const line of stdin.lines()) {
  if (line.trim() === "") continue;
  seen++;
  let event;
  try {
    event = JSON.parse(line);
  } catch {
    damaged++;
    log.warn("not JSON", { line: seen });
    continue;
  }
  if (event.level !== wanted) continue;
  passed++;
  // Only what may be seen goes on.
  console.log(JSON.stringify(event, (key, value) => (hidden.has(key) ? undefined : value)));
}

// The result goes to standard output as well, so a filter returns nothing; numbers are for people.
log.info("done", { seen, passed, damaged });
