// Imports. A spell is a function's body, where static ones have no place: each is rewritten, line
// for line, to a `const` of what `require` gives; `import(…)` calls the same function. What is no
// import stays untouched.
const WORD = /[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*/y, NUMBER = /\.?\d(?:[eE][+-]|[\w.])*/y;
const SPACE = /(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\/)*/y;
const REGEX = /\/(?:[^\\\/[\n\r]|\\.|\[(?:[^\\\]\n\r]|\\.)*\])+\/\w*/y;
const QUOTED = /"(?:[^"\\\n\r]|\\[^])*"|'(?:[^'\\\n\r]|\\[^])*'/y;
const TEXT_OF_TEMPLATE = /(?:[^`\\$]|\\[^]|\$(?!\{))*/y;

const matchAt = (pattern, source, at) => {
  pattern.lastIndex = at;
  const found = execPattern(pattern, source);
  return found === null ? "" : found[0];
};

// Words after which a slash begins a regular expression.
const setOf = (text) => {
  const words = split(text, " "), result = new NativeSet();
  for (let index = 0; index < words.length; index++) setAdd(result, words[index]);
  return result;
};
const BEFORE_REGEX = setOf("return typeof instanceof in of new delete void throw case do else yield await");
const HEADS = setOf("if while for with");

const importedNames = (text, bind) => {
  const names = split(text, ","), parts = [];
  for (let index = 0; index < names.length; index++) {
    const words = execPattern(/^\s*("[^"]*"|'[^']*'|[^\s"']+)(\s+as\s+([^\s]+))?\s*$/, names[index]);
    if (words === null) {
      if (execPattern(/\S/, names[index]) !== null) return null;
      push(parts, names[index]);
    } else push(parts, words[2] === undefined ? names[index] : words[1] + ": " + words[3]);
  }
  return "{" + join(parts, ",") + "}" + bind;
};

// One statement, from `import` on: what stands for it and where it ends; null where it is none.
const STATEMENT = /import(?:\s*(?:([A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*)\s*(,)?\s*)?(?:\*\s*as\s+([A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*)|\{([^}]*)\})?\s*\bfrom|)\s*("[^"\n]*"|'[^'\n]*')[ \t]*(?:(?:with|assert)\s*\{[^}]*\})?/y;
// `import(name)` may stand anywhere; a method of that name is not one.
const CALL = /import\s*\(/y, METHOD = /import\s*\([^()]*\)\s*\{/y;
const WITHOUT_COMMENTS = /\/\/[^\n]*|\/\*[^]*?\*\//g;
const newlines = (text) => {
  const lines = split(text, "\n").length - 1;
  let result = "";
  for (let index = 0; index < lines; index++) result += "\n";
  return result;
};

const statementAt = (source, at) => {
  STATEMENT.lastIndex = at;
  const found = execPattern(STATEMENT, source);
  if (found === null) return null;
  const whole = found[0], first = found[1], comma = found[2], space = found[3], named = found[4], name = found[5];
  if (first !== undefined && comma === undefined && (space !== undefined || named !== undefined)) return null;
  const from = "await " + P.importName + "(" + name + ")";
  let text;
  if (first === undefined && space === undefined && named === undefined) text = from;
  else {
    const bindings = [];
    if (first !== undefined) push(bindings, "{default: " + first + "} = " + from);
    if (space !== undefined) push(bindings, space + " = " + from);
    if (named !== undefined) {
      const names = importedNames(replaceText(named, WITHOUT_COMMENTS, newlines), " = " + from);
      if (names === null) return null;
      push(bindings, names);
    }
    text = "const " + join(bindings, ", ");
  }
  // As many lines as before, so that every later line keeps its number.
  const missing = split(whole, "\n").length - split(text, "\n").length;
  for (let index = 0; index < missing; index++) text += "\n";
  return { __proto__: null, text, end: at + whole.length };
};

// Where the imports are: statements at the outermost level, where a statement begins.
const findImports = (source) => {
  const found = [], open = [];
  let at = 0, last = "", isStart = true, isRegex = true, head = false;
  while (at < source.length) {
    const space = matchAt(SPACE, source, at);
    if (indexOf(space, "\n") >= 0 && last !== "," && last !== "=") isStart = true;
    at += space.length;
    if (at >= source.length) break;
    const char = source[at];
    let token = matchAt(WORD, source, at);
    if (token !== "") {
      if (token === "import" && open.length === 0 && isStart && last !== ".") {
        const statement = statementAt(source, at);
        if (statement !== null) {
          push(found, { __proto__: null, start: at, end: statement.end, text: statement.text });
          at = statement.end;
          last = ";";
          isStart = isRegex = true;
          continue;
        }
      }
      if (token === "import" && last !== "." && matchAt(CALL, source, at) !== "" && matchAt(METHOD, source, at) === "") {
        push(found, { __proto__: null, start: at, end: at + token.length, text: P.importName });
      }
      isRegex = last !== "." && setHas(BEFORE_REGEX, token);
      head = last !== "." && setHas(HEADS, token);
      isStart = false;
      last = token;
      at += token.length;
      continue;
    }
    if (char === '"' || char === "'") {
      token = matchAt(QUOTED, source, at);
      if (token === "") return found;
      at += token.length;
      isStart = isRegex = false;
      last = "'";
      continue;
    }
    token = matchAt(NUMBER, source, at);
    if (token !== "") {
      at += token.length;
      isStart = isRegex = false;
      last = "0";
      continue;
    }
    if (char === "/" && isRegex && (token = matchAt(REGEX, source, at)) !== "") {
      at += token.length;
      isStart = isRegex = false;
      last = "/";
      continue;
    }
    if (char === "`" || (char === "}" && open[open.length - 1] === "`")) {
      at++;
      at += matchAt(TEXT_OF_TEMPLATE, source, at).length;
      if (char === "}") spliceList(open, open.length - 1, 1);
      if (source[at] === "$") push(open, "`");
      at += source[at] === "$" ? 2 : 1;
      isRegex = source[at - 1] === "{";
      isStart = false;
      last = "`";
      continue;
    }
    if (char === "(" || char === "[" || char === "{") push(open, char === "(" && head ? "if" : char);
    let closed = "";
    if (char === ")" || char === "]" || char === "}") closed = spliceList(open, open.length - 1, 1)[0] ?? "";
    isRegex = !(char === ")" || char === "]" || char === "}") || closed === "if";
    isStart = char === ";" || char === "}";
    head = false;
    last = char;
    at++;
  }
  return found;
};

P.withoutImports = (source) => {
  const found = findImports(source);
  if (found.length === 0) return source;
  let text = "", at = 0;
  for (let index = 0; index < found.length; index++) {
    text += slice(source, at, found[index].start) + found[index].text;
    at = found[index].end;
  }
  return text + slice(source, at);
};
