// Log records, and JSON.
const LEVELS = ["trace", "debug", "info", "warn", "error"];
const log = create(null);
P.modules.log = log;

// The spell's own level, apart from what the supervisor shows (API-010).
let least = 0;
const rankOf = (level) => {
  for (let index = 0; index < LEVELS.length; index++) if (LEVELS[index] === level) return index;
  return -1;
};
log.set_level = (level) => {
  const rank = level === "off" ? LEVELS.length : rankOf(level);
  if (rank < 0) P.fail(2002, "validation", "a level is one of trace, debug, info, warn, error, off");
  least = rank;
};
log.level = () => (least === LEVELS.length ? "off" : LEVELS[least]);

P.log = (level, message, fields) => {
  if (rankOf(level) < 0) P.fail(2002, "validation", "a log level is one of trace, debug, info, warn, error");
  if (rankOf(level) < least) return;
  const record = { __proto__: null, type: "log", level, message: P.printable(P.show(message)) };
  if (fields !== undefined && fields !== null) {
    if (typeof fields !== "object") P.fail(2002, "validation", "a record's fields are an object");
    record.fields = fields;
  }
  const text = P.encode(record, "value");
  P.flush();
  P.send(text);
};

for (let index = 0; index < LEVELS.length; index++) {
  const level = LEVELS[index];
  log[level] = (message, fields) => P.log(level, message, fields);
}
