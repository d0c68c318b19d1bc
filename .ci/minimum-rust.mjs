// Holds the Rust versions that the dependencies need against the one that Cargo.toml promises. Reads
// what `cargo metadata` writes.

import { readFileSync } from "node:fs";

const { packages, resolve } = JSON.parse(readFileSync(0, "utf8"));
const byId = new Map(packages.map((item) => [item.id, item]));
const nodes = new Map(resolve.nodes.map((item) => [item.id, item]));
const isNormal = ({ dep_kinds }) => dep_kinds.some(({ kind }) => kind !== "dev");

const reached = new Set([resolve.root]);
for (const id of reached) {
  nodes.get(id).deps.filter(isNormal).forEach(({ pkg }) => reached.add(pkg));
}

const number = (version) => {
  const [major, minor = 0, patch = 0] = version.split(".").map(Number);
  return (major * 1000 + minor) * 1000 + patch;
};
const ours = byId.get(resolve.root).rust_version;
const tooNew = [...reached]
  .map((id) => byId.get(id))
  .filter(({ rust_version }) => rust_version && number(rust_version) > number(ours));
for (const { name, version, rust_version } of tooNew) {
  console.error(`${name} ${version} needs Rust ${rust_version}; Cargo.toml promises ${ours}`);
}
process.exit(tooNew.length === 0 ? 0 : 1);
