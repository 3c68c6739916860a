-- /// spell
-- description = "Writes one reminder mail per customer from a template into an outbox folder"
-- [requests]
-- read = ["data/customers.json", "data/reminder.txt"]
-- write = ["outbox"]
-- ///

-- The spell sends nothing: it writes the mails to a folder, for a person or a mail program.
-- The template is filled by a tool, in a process of its own: it never becomes code.

local customers = JSON.decode(fs.read("data/customers.json"))
local template = fs.read("data/reminder.txt")
local mailer = Tools.get("template_processor")

local written, skipped = {}, {}
for _, customer in ipairs(customers) do
  if customer.address == "" then
    skipped[#skipped + 1] = customer.name
    log.warn("no address", { customer = customer.name })
  else
    local mail = mailer:execute({
      template = template,
      variables = customer,
      options = { strict = true, escape_html = false },
    })
    local name = Tools.execute("text_manipulator", { text = customer.name, operations = { "slugify" } })
    local path = "outbox/" .. name.result .. ".eml"
    -- fs.write replaces a file in one step: no reader ever sees half a mail.
    fs.write(path, mail.result, { create_parents = true })
    written[#written + 1] = path
    if #written == 1 then print(mail.result) end
  end
end

return { written = written, skipped = skipped }
