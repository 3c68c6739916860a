// A table of contents for a Markdown document on standard input.
//
//   llmspell run --profile high examples/basic/markdown_toc.mjs < README.md

const text = await stdin.readAll();

// As the forges make them: small letters, no punctuation, spaces as hyphens, twins numbered.
const used = new Map();
const anchor = (title) => {
  const plain = title.toLowerCase().replace(/[^\p{L}\p{N}\s-]/gu, "").replace(/\s/g, "-");
  const twins = used.get(plain) ?? 0;
  used.set(plain, twins + 1);
  return twins === 0 ? plain : `${plain}-${twins}`;
};

let fenced = false;
for (const line of text.split("\n")) {
  if (line.startsWith("```")) fenced = !fenced;
  const heading = fenced ? null : /^(#{1,6})\s+(.+?)\s*#*$/.exec(line);
  if (heading === null) continue;
  const [, marks, title] = heading;
  console.log(`${"  ".repeat(marks.length - 1)}- [${title}](#${anchor(title)})`);
}
