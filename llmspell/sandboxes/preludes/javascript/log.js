// Log records, and JSON.
const LEVELS = ["trace", "debug", "info", "warn", "error"];
const log = create(null);
P.modules.log = log;

P.log = (level, message, fields) => {
  let listed = false;
  for (let index = 0; index < LEVELS.length; index++) listed ||= LEVELS[index] === level;
  if (!listed) P.fail(2002, "validation", "a log level is one of trace, debug, info, warn, error");
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
