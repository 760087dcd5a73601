// What JSON schemas say of an action's arguments, in words. Rules write them, so any part of one may be missing or odd.

// args returns the arguments of an action: of each its name, its schema, whether it is needed, and in words what it can be.
export function args(action) {
  const { properties, required } = action.schema ?? {};
  return Object.entries(properties ?? {}).map(([name, schema]) => {
    const needed = Array.isArray(required) && required.includes(name);
    return { name, schema: schema ?? {}, needed, words: [words(schema ?? {}), needed ? "needed" : "may be left out"].join("; ") };
  });
}

const types = { integer: "whole number", number: "number", string: "text", boolean: "true or false", array: "list", object: "object", null: "null" };

function words(schema) {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" or ");
  const type = types[schema.type] ?? "JSON";
  const bounds = [
    range(schema.minimum, schema.maximum, ""), range(schema.minLength, schema.maxLength, " characters"), range(schema.minItems, schema.maxItems, " items"),
    schema.pattern && `like ${schema.pattern}`, schema.description,
  ];
  const of = schema.type === "array" && schema.items ? ` of: ${words(schema.items)}` : "";
  return [type + of, ...bounds].filter(Boolean).join(", ");
}

function range(least, most, unit) {
  if (least == null && most == null) return "";
  if (least == null) return `at most ${most}${unit}`;
  return most == null ? `at least ${least}${unit}` : `${least} to ${most}${unit}`;
}
