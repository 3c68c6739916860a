// /// spell
// description = "Checks a JSON file against a schema and lists everything that is wrong with it"
// [requests]
// read = ["data/user.json"]
// ///

const schema = {
  type: "object",
  required: ["users"],
  properties: {
    users: {
      type: "array",
      items: {
        type: "object",
        required: ["name", "mail"],
        properties: {
          name: { type: "string", minLength: 2 },
          mail: { type: "string", format: "email" },
          age: { type: "integer", minimum: 0 },
          roles: { type: "array", items: { enum: ["admin", "author", "reader"] } },
        },
      },
    },
  },
};

const data = JSON.parse(await fs.read(params.file ?? "data/user.json"));
const answer = await Tools.execute("json_processor", { operation: "validate", data, schema });

if (answer.result) return "fine";
for (const { path, message } of answer.metadata.errors) console.log(`${path}: ${message}`);
return { valid: false, problems: answer.metadata.errors.length };
