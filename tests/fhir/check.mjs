// Holds the resources that `cargo test --test spec fhir` has written down against the definitions of
// FHIR R4, R4B and R5, in the form of TypeScript's types: no element too many, none that is
// required missing, and each of the right type; codes with a required binding among those allowed.
// Then against HL7's own JSON Schema of R4, which also knows the format of each value, of a URL for
// instance.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

/** Where the resources are, and node_modules with the packages that `.ci/run` names. */
const folder = process.argv[2];
const require = createRequire(resolve(folder, "check.ts"));

const resources = JSON.parse(readFileSync(join(folder, "resources.json"), "utf8"));
const lines = ["r4", "r4b", "r5"].flatMap((release) => [
  `import type * as ${release} from "fhir/${release}";`,
  ...resources.map((resource, index) => {
    const json = JSON.stringify(resource, null, 2);
    // Of the codes in R5's OperationDefinition.resource, these definitions know only those that R5
    // has retired.
    const known = release === "r5" ? json.replace('"Binary"\n', '"Binary" as any\n') : json;
    const name = resource.resourceType;
    const type = name === "Bundle" ? `Bundle<${release}.FhirResource>` : name;
    return `export const ${release}_${index}: ${release}.${type} = ${known};`;
  }),
]);
writeFileSync(join(folder, "check.ts"), lines.join("\n"));

const compiler = join(folder, "node_modules/typescript/bin/tsc");
const options = ["--noEmit", "--strict", join(folder, "check.ts")];
try {
  execFileSync(process.execPath, [compiler, ...options], { stdio: "inherit" });
} catch {
  process.exit(1);
}

const JsonSchema = require("@asymmetrik/fhir-json-schema-validator");
const schema = new JsonSchema();
for (const resource of resources) {
  // The schema is from before 4.0.1.
  const json = JSON.stringify(resource).replace('"fhirVersion":"4.0.1"', '"fhirVersion":"4.0.0"');
  const errors = schema.validate(JSON.parse(json));
  if (errors.length > 0) {
    console.error(json, errors);
    process.exitCode = 1;
  }
}
if (process.exitCode) process.exit();

console.log(`${resources.length} resources are as R4, R4B and R5 define them`);
